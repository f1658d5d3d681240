import ArgumentParser
import Foundation
import Glibc
import Logging
import MailboxClient
import NIOSSL
import Synchronization

/// One account's device: its server, its token and its database.
struct ClientOptions: ParsableArguments {
    @Option(
        help: "The server for devices: ws://HOST:PORT or wss://HOST:PORT.",
        transform: ClientOptions.address(_:))
    var connect: ServerAddress

    @Option(
        help: "A file with the account's token; read again whenever one is needed.",
        completion: .file())
    var tokenFile: String

    @Option(
        help: "The database of this device's messages; made when it is missing.",
        completion: .file())
    var database: String

    @Option(help: "Trust these certificates (PEM), not the system's.", completion: .file())
    var tlsAuthority: String?

    @Option(help: "How long to wait for the server: 500ms … 1h.")
    var timeout = DurationArgument(seconds: 30)

    func validate() throws {
        guard (500...3_600_000).contains(timeout.milliseconds) else {
            throw ValidationError("--timeout must be 500ms to 1h.")
        }
        if tlsAuthority != nil, !connect.isSecure {
            throw ValidationError("--tls-authority is for wss:// alone.")
        }
    }

    private static func address(_ text: String) throws -> ServerAddress {
        do {
            return try ServerAddress(text)
        } catch {
            throw ValidationError("'\(text)' is no server: \(error.message).")
        }
    }

    /// Opens the database; the caller starts the client, and shuts it down.
    ///
    /// - Throws: `Failure` when a file cannot be read, `ClientError` as the client does.
    func open() throws -> MailboxClient {
        _ = try token()
        var tls = TLSConfiguration.makeClientConfiguration()
        if let tlsAuthority {
            try Self.checkReadable(tlsAuthority)
            tls.trustRoots = .file(tlsAuthority)
        }
        let transport = try WebSocketTransport(to: connect, tls: tls)
        var configuration = ClientConfiguration()
        configuration.program = "mailboxctl"
        let options = self
        return try MailboxClient(
            path: database, transport: transport, configuration: configuration,
            logger: Logger(label: "mailboxctl") { _ in SwiftLogNoOpLogHandler() },
            tokens: { _ in try options.token() })
    }

    private func token() throws(Failure) -> String {
        let source = try FileSource(path: tokenFile)
        let bytes = try source.read(atMost: 64 << 10)
        return String(decoding: bytes, as: UTF8.self)
            .trimmingCharacters(in: .whitespacesAndNewlines)
    }

    private static func checkReadable(_ path: String) throws(Failure) {
        guard access(path, R_OK) == 0 else { throw .file(path, doing: "read", errno: errno) }
    }
}

/// What a command knows of its server: whether it was heard, and why it never will be.
final class ServerWatch: Sendable {
    private let state = Locked()
    private let reader: Task<Void, Never>

    /// Reads the client's events from here on. When there is no sense in waiting any longer, the
    /// client is shut down, so that whoever reads its messages goes on.
    init(_ client: MailboxClient, _ told: @escaping @Sendable (ClientEvent) -> Void = { _ in }) {
        let state = state
        reader = Task {
            for await event in client.events {
                told(event)
                switch event {
                case .caughtUp: state.set { $0.isCaughtUp = true }
                case .tokenRefused: state.set { $0.isTokenRefused = true }
                case .connection(.connected): state.set { $0.isTokenRefused = false }
                case .wrongAccount(let expected):
                    let failure = Failure(
                        code: "wrongAccount",
                        message: "the database is of account \(expected), the token of another; "
                            + "name the database that belongs to the token", status: .data)
                    state.set { $0.failure = failure }
                    try? await client.shutdown()
                case .connection(.replaced):
                    let failure = Failure(
                        code: "replaced",
                        message: "another program connected as this device; one at a time has a "
                            + "database", status: .unavailable)
                    state.set { if $0.failure == nil { $0.failure = failure } }
                    try? await client.shutdown()
                default: break
                }
            }
        }
    }

    deinit { reader.cancel() }

    /// Why nothing more comes.
    var failure: Failure? { state.get { $0.failure } }
    /// What to add to a message about something that did not happen in time.
    var hint: String {
        state.get { $0.isTokenRefused } ? "; the server does not accept the token" : ""
    }
    /// What waited on the server is in the database.
    var isCaughtUp: Bool { state.get { $0.isCaughtUp } }

    /// Waits until something holds, for so long.
    ///
    /// - Returns: false when the time went by.
    /// - Throws: `Failure` when it never will, `CancellationError`.
    func wait(
        _ duration: DurationArgument, until condition: @Sendable () async throws -> Bool
    ) async throws -> Bool {
        let deadline = ContinuousClock.now + .milliseconds(duration.milliseconds)
        while try await !condition() {
            if let failure { throw failure }
            guard ContinuousClock.now < deadline else { return false }
            try await Task.sleep(for: .milliseconds(5))
        }
        return true
    }
}

/// What several tasks say and read of a server.
private final class Locked: Sendable {
    struct State {
        var isCaughtUp = false
        var isTokenRefused = false
        var failure: Failure?
    }

    private let state = Mutex(State())

    func set(_ body: (inout State) -> Void) { state.withLock { body(&$0) } }
    func get<Value: Sendable>(_ body: (State) -> Value) -> Value { state.withLock { body($0) } }
}
