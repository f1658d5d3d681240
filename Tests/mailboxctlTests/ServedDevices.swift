import Foundation
import MailboxClient
import ServerTesting
import Synchronization
import Testing

@testable import mailboxctl

/// `mailboxd all`, and what commands of a device are told of it.
final class ServedDevices: Sendable {
    let directory: String
    private let issuer: TokenIssuer
    private let server: Mutex<ServerProcess>
    let port: Int

    private init(_ directory: String, _ issuer: TokenIssuer, _ server: ServerProcess) {
        self.directory = directory
        self.issuer = issuer
        self.server = Mutex(server)
        port = server.port
    }

    static func with(_ body: (ServedDevices) async throws -> Void) async throws {
        try await withDirectory { directory in
            let issuer = try TokenIssuer(path: directory + "/secret")
            let server = try await ServerProcess.start(
                directory + "/store", issuer.arguments + ["--log-level", "error"])
            let served = ServedDevices(directory, issuer, server)
            try await body(served)
            try await served.kill()
        }
    }

    func kill() async throws {
        let running = server.withLock { $0 }
        try await running.end(SIGKILL)
    }

    func startAgain() async throws {
        let started = try await ServerProcess.start(
            directory + "/store", port: port, issuer.arguments + ["--log-level", "error"])
        server.withLock { $0 = started }
    }

    /// What names an account's device.
    ///
    /// - Parameter database: its name; by default the account's.
    func device(_ account: String, database: String? = nil) throws -> [String] {
        let token = try write(try issuer.token(account), to: "\(account).token", in: directory)
        return [
            "--connect", "ws://127.0.0.1:\(port)", "--token-file", token, "--database",
            "\(directory)/\(database ?? account).db",
        ]
    }

    /// Runs a command of a device in this process.
    func run(_ command: String, _ account: String, _ arguments: String...) async throws -> ToolRun {
        await tool([command] + (try device(account)) + arguments)
    }
}

/// The tool as a process that goes on: lines in, lines out.
// What changes is behind locks, but for the process, which is only signalled: Sendable.
final class LivingTool: @unchecked Sendable {
    private let process = Process()
    private let input = Pipe()
    private let written = Pipe()
    private let text = Mutex("")
    private let isEnded = Mutex(false)

    init(_ arguments: [String]) throws {
        process.executableURL = URL(filePath: Binary.path)
        process.arguments = arguments
        process.standardInput = input
        process.standardOutput = written
        process.standardError = written
        try process.run()
        Thread.detachNewThread { [self] in
            while true {
                let data = written.fileHandleForReading.availableData
                if data.isEmpty { break }
                text.withLock { $0 += String(decoding: data, as: UTF8.self) }
            }
            process.waitUntilExit()
            isEnded.withLock { $0 = true }
        }
    }

    deinit { if process.isRunning { Foundation.kill(process.processIdentifier, SIGKILL) } }

    var output: String { text.withLock { $0 } }
    var lines: [String] { output.split(separator: "\n").map(String.init) }

    func write(_ line: String) throws {
        try input.fileHandleForWriting.write(contentsOf: Data((line + "\n").utf8))
    }

    func closeInput() throws { try input.fileHandleForWriting.close() }

    func signal(_ number: Int32) { Foundation.kill(process.processIdentifier, number) }

    /// Waits until a line stands in the output.
    func until(
        _ line: String, sourceLocation: SourceLocation = #_sourceLocation
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        while !lines.contains(line) {
            try #require(
                ContinuousClock.now < deadline, "no '\(line)' in: \(output)",
                sourceLocation: sourceLocation)
            try await SystemClientClock().wait(milliseconds: 5)
        }
    }

    /// Waits for the end.
    func status() async throws -> Int32 {
        let deadline = ContinuousClock.now + .seconds(60)
        while !isEnded.withLock({ $0 }) {
            try #require(ContinuousClock.now < deadline, "it does not end: \(output)")
            try await SystemClientClock().wait(milliseconds: 5)
        }
        return process.terminationStatus
    }
}
