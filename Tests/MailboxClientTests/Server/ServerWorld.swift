import Foundation
import Logging
import Mailbox
import NIOSSL
import ServerTesting
import Synchronization
import Testing

@testable import MailboxClient

/// A real server and clients of it, in one directory.
final class ServerWorld: Sendable {
    let scratch: Scratch
    let issuer: TokenIssuer
    private let arguments: [String]
    private let server: Mutex<ServerProcess>
    /// Where devices connect; the same after every restart.
    let port: Int

    private init(
        _ scratch: Scratch, _ issuer: TokenIssuer, _ arguments: [String], _ server: ServerProcess
    ) {
        self.scratch = scratch
        self.issuer = issuer
        self.arguments = arguments
        self.server = Mutex(server)
        port = server.port
    }

    static func start(_ arguments: [String] = []) async throws -> ServerWorld {
        let scratch = try Scratch()
        let issuer = try TokenIssuer(path: scratch.file("secret"))
        let all = issuer.arguments + ["--log-level", "error"] + arguments
        let server = try await ServerProcess.start(scratch.file("store"), all)
        return ServerWorld(scratch, issuer, all, server)
    }

    var address: String { "ws://127.0.0.1:\(port)" }

    /// Kills the server.
    func kill() async throws {
        let running = server.withLock { $0 }
        try await running.end(SIGKILL)
    }

    /// Starts the server again, on the same store and port.
    func startAgain() async throws {
        let started = try await ServerProcess.start(
            scratch.file("store"), port: port, arguments)
        server.withLock { $0 = started }
    }

    /// Ends the server as an operator would, and looks at what it said.
    func stop() async throws {
        let running = server.withLock { $0 }
        let end = try await running.end(SIGTERM)
        #expect(end.status == 0, "\(end.notes)")
        #expect(!end.notes.contains("secret"))
    }

    /// A client that is impatient.
    ///
    /// - Parameters:
    ///   - file: the database's name; by default the account's.
    ///   - tokens: what brings tokens; by default good ones.
    func client(
        _ account: String, file: String? = nil, address: String? = nil,
        tls: TLSConfiguration = .makeClientConfiguration(),
        _ change: (inout ClientConfiguration) -> Void = { _ in },
        tokens: MailboxClient.TokenSource? = nil
    ) throws -> MailboxClient {
        var configuration = ClientConfiguration()
        configuration.timing.backoffInitialMilliseconds = 20
        configuration.timing.backoffMaximumMilliseconds = 300
        change(&configuration)
        let issuer = issuer
        return try MailboxClient(
            path: scratch.file("\(file ?? account).db"),
            transport: WebSocketTransport(
                to: ServerAddress(address ?? self.address), tls: tls),
            configuration: configuration,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() },
            tokens: tokens ?? { _ in try issuer.token(account) })
    }

    /// The files of a client's database, with all that lies beside it.
    func files(_ name: String) throws -> [String] {
        try FileManager.default.contentsOfDirectory(atPath: scratch.path)
            .filter { $0.hasPrefix("\(name).db") }
    }
}

/// Takes and confirms messages until so many came.
func take(_ count: Int, from client: MailboxClient) async throws -> [StoredMessage] {
    var taken: [StoredMessage] = []
    for await message in client.messages {
        taken.append(message)
        try await client.confirm(message)
        if taken.count == count { break }
    }
    return taken
}

/// Waits until something holds.
func eventually(
    _ what: String, within: Duration = .seconds(60),
    sourceLocation: SourceLocation = #_sourceLocation,
    _ condition: () async throws -> Bool
) async throws {
    let clock = SystemClientClock()
    let deadline = ContinuousClock.now + within
    while try await !condition() {
        try #require(
            ContinuousClock.now < deadline, "in vain: \(what)", sourceLocation: sourceLocation)
        try await clock.wait(milliseconds: 5)
    }
}

extension StoredMessage {
    var text: String { String(decoding: body, as: UTF8.self) }
}

/// A value that several tasks change.
final class Shared<Value: Sendable>: Sendable {
    private let mutex: Mutex<Value>

    init(_ value: Value) { mutex = Mutex(value) }

    func withLock<Answer: Sendable>(_ body: (inout Value) -> Answer) -> Answer {
        mutex.withLock { body(&$0) }
    }
}
