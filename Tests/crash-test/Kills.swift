import Glibc

/// `crash-test kills`: the workload is killed at random moments, again and again on one store, and
/// the store held to what it promised.
struct Kills {
    private let options: Options
    private let scratch: String
    private let seed: UInt64

    init(_ options: Options) throws(Failure) {
        self.options = options
        scratch = options.text("scratch", else: Shares.scratch("kills"))
        seed = UInt64(try options.number("seed", else: Int.random(in: 1...(1 << 40))))
    }

    func run() throws {
        let count = try options.number("kills", else: 10_000)
        let parts = Processors.count
        print("kills: seed \(seed)")
        let start = Shares.seconds
        let counts = try Shares.run(parts, scratch: scratch, isPinned: false) { part in
            (
                [
                    "kills-part", "--seed", String(seed &+ UInt64(part)), "--scratch",
                    "\(scratch)/part-\(part)", "--kills", String((count + parts - 1) / parts),
                ], [:]
            )
        }
        print("kills.accepted: \(counts["kills.accepted"] ?? 0)")
        print("kills.seconds: \(Int(Shares.seconds - start))")
        print("kills.count: \(counts["kills.count"] ?? 0)")
        print("kills.violations: \(counts["kills.violations"] ?? 0)")
        guard counts["kills.violations"] == 0 else { throw Failure("promises were broken") }
    }

    func runPart() throws {
        let count = try options.number("kills", else: 100)
        let root = "\(scratch)/root"
        var random = SeededRandom(seed: seed)
        var history = History()
        var violations = 0
        var accepted = 0
        try Files.remove(scratch)
        try Files.makeDirectory(scratch)
        var kills = 0
        var round = 0
        while kills < count {
            round += 1
            // A store is kept for some twenty kills, and grows.
            if round == 1 || random.chance(5) {
                accepted += Self.accepted(history)
                history = History()
                try Files.remove(root)
                try Files.makeDirectory(root)
            }
            if try kill(root, round, &history, &random) { kills += 1 }
            do throws(Failure) {
                if let wrong = history.wrong { throw Failure("a reader saw it: \(wrong)") }
                try Oracle().checkAllCopies(root, history)
                history = try Oracle().open("\(root)/store", history, &random)
            } catch {
                violations += 1
                print("violation: seed \(seed), round \(round): \(error)")
            }
        }
        print("kills.accepted: \(accepted + Self.accepted(history))")
        print("kills.count: \(kills)")
        print("kills.violations: \(violations)")
        try Files.remove(scratch)
    }

    private static func accepted(_ history: History) -> Int {
        history.mailboxes.reduce(0) { $0 + $1.accepted.reduce(0) { $0 + Int($1) } }
    }

    /// Lets the workload run until it said so much, or for a moment, and kills it.
    ///
    /// - Returns: false when it was done before it was killed.
    private func kill(
        _ root: String, _ round: Int, _ history: inout History, _ random: inout SeededRandom
    ) throws(Failure) -> Bool {
        let output = "\(scratch)/said"
        try Files.remove(output)
        let child = try Child(
            [
                "work", "--root", root, "--seed", String(random.next() >> 1), "--run",
                String(round), "--sends", "2000",
            ], output: output)
        let wanted = random.chance(20) ? 0 : Int.random(in: 1...6_000, using: &random)
        while child.isRunning, Self.byteCount(output) < wanted { sched_yield() }
        for _ in 0..<Int.random(in: 0...2_000, using: &random) { sched_yield() }
        child.kill()
        let ending = child.wait()
        // The last line counts only when it came whole.
        let text = access(output, F_OK) == 0 ? try Files.read(output) : []
        guard ending == .signal(SIGKILL) || ending == .exit(0) else {
            throw Failure("seed \(seed), round \(round): the workload ended with \(ending)")
        }
        for line in String(decoding: text, as: UTF8.self)
            .split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        where !line.isEmpty { history.hear(line) }
        return ending == .signal(SIGKILL)
    }

    private static func byteCount(_ path: String) -> Int {
        var status = stat()
        return stat(path, &status) == 0 ? Int(status.st_size) : 0
    }
}
