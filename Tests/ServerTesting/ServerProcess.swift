package import Foundation

/// `mailboxd all` as a process of its own, on loopback and free ports.
// The process is started before anybody shares this, and asked for nothing but its end: Sendable.
package final class ServerProcess: @unchecked Sendable {
    /// How a server ended.
    package struct End: Sendable {
        /// Its exit status, or the signal that killed it.
        package let status: Int32
        /// What it wrote to standard error.
        package let notes: String
    }

    /// Why there is no server.
    package struct NotStarted: Error, CustomStringConvertible {
        package let description: String
    }

    private let process: Process
    private let errorPath: String
    /// Where devices connect.
    package let port: Int

    /// Starts a server, and waits until it is ready.
    ///
    /// - Parameters:
    ///   - directory: its store's; made when it is missing.
    ///   - port: where devices connect; 0 for a free one.
    ///   - arguments: more flags of `mailboxd all`.
    ///   - executable: the program; by default the one beside the program that runs.
    /// - Throws: `NotStarted` with what it said.
    package static func start(
        _ directory: String, port: Int = 0, _ arguments: [String],
        executable: URL = ServerProcess.beside
    ) async throws -> ServerProcess {
        try await onThread {
            try ServerProcess(
                [
                    "all", "--directory", directory, "--connect-port", "\(port)",
                    "--metrics-port", "0",
                ] + arguments, executable)
        }
    }

    /// `mailboxd` beside the program that runs.
    package static let beside = sibling("mailboxd")

    /// A program beside the one that runs.
    package static func sibling(_ name: String) -> URL {
        URL(filePath: "/proc/self/exe").resolvingSymlinksInPath()
            .deletingLastPathComponent().appending(path: name)
    }

    private init(_ arguments: [String], _ executable: URL) throws {
        process = Process()
        process.executableURL = executable
        process.arguments = arguments
        process.environment = ProcessInfo.processInfo.environment.filter {
            !$0.key.hasPrefix("MAILBOX_STORE_")
        }
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
        port = text.firstMatch(of: #/wss?=127.0.0.1:(\d+)/#).flatMap { Int($0.1) } ?? 0
        guard port > 0 else {
            process.terminate()
            process.waitUntilExit()
            let notes = (try? String(contentsOfFile: errorPath, encoding: .utf8)) ?? ""
            try? FileManager.default.removeItem(atPath: errorPath)
            throw NotStarted(description: "mailboxd did not get ready: \(text) \(notes)")
        }
    }

    deinit {
        if process.isRunning {
            signal(SIGKILL)
            process.waitUntilExit()
        }
        try? FileManager.default.removeItem(atPath: errorPath)
    }

    /// The process's number.
    package var identifier: Int32 { process.processIdentifier }

    /// Sends a signal to the process.
    package func signal(_ number: Int32) { kill(process.processIdentifier, number) }

    /// Sends a signal, and waits for the end.
    @discardableResult
    package func end(_ number: Int32) async throws -> End {
        signal(number)
        return try await onThread { [self] in
            process.waitUntilExit()
            let notes = try Data(contentsOf: URL(fileURLWithPath: errorPath))
            return End(
                status: process.terminationStatus, notes: String(decoding: notes, as: UTF8.self))
        }
    }
}

/// Runs what blocks on a thread of its own.
package func onThread<Answer: Sendable>(
    _ body: @escaping @Sendable () throws -> Answer
) async throws -> Answer {
    try await withCheckedThrowingContinuation { continuation in
        Thread.detachNewThread { continuation.resume(with: Result { try body() }) }
    }
}
