import Foundation
import Testing

/// Lets processes look at a store with one bit changed, thousands of times in each; one that LMDB
/// ended is followed by another.
struct FlipWorker {
    struct Flip {
        /// Which of the names.
        var file: Int
        var place: Int
        var bit: UInt8
    }

    let store: String
    let copy: String
    /// The files that flips speak of, from the store's directory on.
    let names: [String]

    /// Hands each flip's outcome to `body`, in order: what `FlipMode` says, or `died`.
    func run(_ flips: [Flip], _ body: (Int, String) -> Void) throws {
        var next = 0
        while next < flips.count {
            // A part at a time: a process takes no harm from the next part's damage.
            let part = flips[next..<min(next + 2_000, flips.count)]
            let answered = try look(part) { body($0, $1) }
            next += answered
            if answered < part.count {
                body(next, "died")
                next += 1
            }
        }
    }

    /// A process that dies here need not say where, and a sanitizer leaves it its signal.
    private static var environment: [String: String] {
        let environment = ProcessInfo.processInfo.environment
        let unhandled = "handle_segv=0:handle_sigbus=0:handle_sigfpe=0:handle_abort=0"
        var own = ["SWIFT_BACKTRACE": "enable=no"]
        for name in ["ASAN_OPTIONS", "TSAN_OPTIONS"] {
            own[name] = [environment[name], unhandled].compactMap(\.self).joined(separator: ":")
        }
        return environment.merging(own) { $1 }
    }

    /// - Returns: how many flips were answered before the process ended.
    private func look(
        _ flips: ArraySlice<Flip>, _ body: (Int, String) -> Void
    ) throws -> Int {
        try? FileManager.default.removeItem(atPath: copy)
        let orders = "\(copy)-orders"
        let text = flips.map { "\(names[$0.file]) \($0.place) \($0.bit)\n" }.joined()
        try text.write(toFile: orders, atomically: false, encoding: .utf8)
        let worker = Process()
        worker.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("crash-worker")
        worker.arguments = [store, "flips", copy]
        worker.environment = Self.environment
        let pipe = Pipe()
        worker.standardInput = try FileHandle(forReadingFrom: URL(fileURLWithPath: orders))
        worker.standardOutput = pipe
        worker.standardError = FileHandle.nullDevice
        try worker.run()
        let answers = String(
            decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        worker.waitUntilExit()
        let lines = answers.split(separator: "\n")
        for (number, line) in zip(flips.indices, lines) { body(number, String(line)) }
        if lines.count < flips.count {
            #expect(worker.terminationReason == .uncaughtSignal, "it ended without a signal")
        }
        return lines.count
    }
}
