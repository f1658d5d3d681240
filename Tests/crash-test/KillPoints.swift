import Glibc

/// `crash-test killpoints`: every operation is killed in front of each of its calls, behind it, and
/// in the middle of a write; then the store is held to what it promised.
struct KillPoints {
    let options: Options
    let part: Int
    let parts: Int

    func run() throws {
        for operation in Operation.allCases {
            let sweep = try Sweep(
                operation, shim: options.text("shim"),
                scratch: "\(try options.text("scratch"))/\(operation)")
            var points = 0
            for deed in ["kill", "half", "after"] {
                points += try run(sweep, deed)
            }
            print("killpoints.\(operation): \(points)")
        }
    }

    /// - Returns: how often it was killed.
    private func run(_ sweep: Sweep, _ deed: String) throws -> Int {
        let stride = try options.number("stride", else: 1)
        var points = 0
        var call = 1 + part * stride
        while true {
            let attempt = try sweep.attempt(call: call, deed)
            switch attempt.ending {
            case .signal(SIGKILL):
                points += 1
                try check(sweep, attempt, "\(sweep.operation), \(deed) at call \(call)")
            case .exit(0):
                // Behind the last call; or one that a write's middle means nothing to.
                guard attempt.hit != nil else { return points }
            default:
                throw Failure("\(sweep.operation), \(deed) at \(call): \(attempt.ending)")
            }
            call += parts * stride
        }
    }

    private func check(_ sweep: Sweep, _ attempt: Sweep.Try, _ place: String) throws {
        let oracle = Oracle()
        var random = SeededRandom(seed: UInt64(attempt.history.lineCount))
        do throws(Failure) {
            try oracle.checkAllCopies(sweep.root, attempt.history)
            try oracle.open("\(sweep.root)/store", attempt.history, &random)
        } catch {
            print("violation: \(place): \(error)")
            print("killpoints.violations: 1")
        }
    }
}
