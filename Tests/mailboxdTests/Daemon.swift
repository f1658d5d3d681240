import Foundation
import FoundationNetworking
import StoreAPI
import Testing

/// The daemon as a process of its own, on ports that are free.
// The process is started before anybody shares this, and asked for nothing but its end: Sendable.
final class Daemon: @unchecked Sendable {
    private let process: Process
    private let errorPath: String
    /// The port for calls; 0 when the daemon did not become ready.
    let port: Int
    /// The port for metrics; 0 when the daemon did not become ready.
    let metricsPort: Int
    /// What the daemon said when it was ready; empty when it ended instead.
    let readyLine: String

    /// How a daemon ended.
    struct End {
        var status: Int32
        /// By a signal, not by itself.
        var wasKilled: Bool
        /// Standard error.
        var notes: String
    }

    /// Starts a daemon, and waits until it is ready, or has ended.
    static func start(
        _ directory: String, port: Int = 0, _ arguments: [String] = [],
        environment: [String: String] = [:]
    ) async throws -> Daemon {
        let store = ["store", "--directory", directory, "--listen-port", "\(port)"]
        return try await onThread {
            try Daemon(
                store + ["--metrics-port", "0"] + arguments, environment: environment)
        }
    }

    /// Starts a daemon in another role, on free ports, and waits until it is ready, or has ended.
    static func start(
        role: String, _ arguments: [String], environment: [String: String] = [:]
    ) async throws -> Daemon {
        try await onThread {
            try Daemon([role, "--metrics-port", "0"] + arguments, environment: environment)
        }
    }

    private init(_ arguments: [String], environment: [String: String]) throws {
        process = Process()
        process.executableURL = Self.executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("MAILBOX_STORE_")
        }.merging(environment) { $1 }
        errorPath = NSTemporaryDirectory() + "/mailboxd-\(UUID().uuidString).log"
        try Data().write(to: URL(fileURLWithPath: errorPath))
        let output = Pipe()
        process.standardOutput = output
        process.standardError = try FileHandle(forWritingTo: URL(fileURLWithPath: errorPath))
        try process.run()
        var text = ""
        while !text.contains("\n") {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            text += String(decoding: data, as: UTF8.self)
        }
        readyLine = text
        self.port = text.firstMatch(of: #/grpc=127.0.0.1:(\d+)/#).flatMap { Int($0.1) } ?? 0
        metricsPort =
            text.firstMatch(of: #/metrics=127.0.0.1:(\d+)/#).flatMap { Int($0.1) } ?? 0
    }

    deinit {
        if process.isRunning {
            kill(process.processIdentifier, SIGKILL)
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(atPath: errorPath)
    }

    /// Beside the program that runs these tests.
    static let executable = URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
        .deletingLastPathComponent().appending(path: "mailboxd")

    var isReady: Bool { readyLine.hasPrefix("ready ") }

    func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Waits for the daemon's end.
    func end() async throws -> End {
        try await onThread { [self] in
            process.waitUntilExit()
            let notes = try Data(contentsOf: URL(fileURLWithPath: errorPath))
            return End(
                status: process.terminationStatus,
                wasKilled: process.terminationReason == .uncaughtSignal,
                notes: String(decoding: notes, as: UTF8.self))
        }
    }

    /// Ends the daemon as an operator would.
    func stop() async throws -> End {
        signal(SIGTERM)
        return try await end()
    }

    /// The most memory that the process ever had; a fifth of it under the thread sanitizer, which
    /// has five to ten bytes for each of a program's (its manual says).
    func peakMemoryBytes() throws -> Int {
        let isWatched = ProcessInfo.processInfo.environment["TSAN_OPTIONS"] != nil
        let path = "/proc/\(process.processIdentifier)/status"
        let text = try String(contentsOfFile: path, encoding: .utf8)
        let number = try #require(text.firstMatch(of: #/VmHWM:\s+(\d+) kB/#))
        return (try #require(Int(number.1)) << 10) / (isWatched ? 5 : 1)
    }

    /// Asks the daemon's page over HTTP, with a token where one is due.
    func page(_ path: String, token: String? = nil) async throws -> (status: Int, text: String) {
        let url = try #require(URL(string: "http://127.0.0.1:\(metricsPort)/\(path)"))
        var request = URLRequest(url: url)
        if let token { request.setValue("Bearer \(token)", forHTTPHeaderField: "Authorization") }
        let (data, response) = try await URLSession.shared.data(for: request)
        let status = (response as? HTTPURLResponse)?.statusCode ?? 0
        return (status, String(decoding: data, as: UTF8.self))
    }

    var target: StoreClientConfiguration {
        var configuration = StoreClientConfiguration(.tcp(host: "127.0.0.1", port: port))
        configuration.connectTimeout = .seconds(30)
        return configuration
    }
}

/// Runs what blocks on a thread of its own.
func onThread<Answer: Sendable>(
    _ body: @escaping @Sendable () throws -> Answer
) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread {
            continuation.resume(with: Result { try body() })
        }
    }
}

/// Runs the binary until it ends.
func mailboxd(
    _ arguments: String..., environment: [String: String] = [:]
) async throws -> (status: Int32, output: String, notes: String) {
    try await run(Daemon.executable, arguments, environment)
}

/// Runs the tool until it ends.
func mailboxctl(
    _ arguments: [String]
) async throws -> (status: Int32, output: String, notes: String) {
    let tool = Daemon.executable.deletingLastPathComponent().appending(path: "mailboxctl")
    return try await run(tool, arguments, [:])
}

private func run(
    _ program: URL, _ arguments: [String], _ environment: [String: String]
) async throws -> (status: Int32, output: String, notes: String) {
    try await onThread {
        let process = Process()
        process.executableURL = program
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("MAILBOX_STORE_")
        }.merging(environment) { $1 }
        let (output, notes) = (Pipe(), Pipe())
        process.standardInput = FileHandle.nullDevice
        process.standardOutput = output
        process.standardError = notes
        try process.run()
        let text = try output.fileHandleForReading.readToEnd() ?? Data()
        let errors = try notes.fileHandleForReading.readToEnd() ?? Data()
        process.waitUntilExit()
        return (
            process.terminationStatus, String(decoding: text, as: UTF8.self),
            String(decoding: errors, as: UTF8.self)
        )
    }
}

/// A directory for one test, removed when the test is done with it.
final class TestDirectory: Sendable {
    let path: String

    init() throws {
        let isInMemory = FileManager.default.isWritableFile(atPath: "/dev/shm")
        path = "\(isInMemory ? "/dev/shm" : NSTemporaryDirectory())/mailboxd-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
        return file(name)
    }
}
