import Foundation
import GRPCCore
import GRPCNIOTransportHTTP2
import GRPCProtobuf
import Logging
import Mailbox
import Metrics
import ServiceHost
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Testing

@testable import StoreSrv

/// A store, served on a free port of this machine, and a client with nothing of our own in it but
/// what its connections need to be let go of.
struct TestServer: Sendable {
    let store: MailboxStore
    let server: StoreServer
    let port: Int
    let client: GRPCClient<HTTP2ClientTransport.Posix>

    var calls: Wire.StoreService.Client<HTTP2ClientTransport.Posix> { .init(wrapping: client) }
    var admin: Wire.AdminService.Client<HTTP2ClientTransport.Posix> { .init(wrapping: client) }

    /// Serves a new store while `body` runs.
    static func with<Answer: Sendable>(
        store configureStore: (inout StoreConfiguration) -> Void = { _ in },
        server configureServer: (inout StoreServerConfiguration) -> Void = { _ in },
        _ body: @Sendable @escaping (TestServer) async throws -> Answer
    ) async throws -> Answer {
        let directory = try TestDirectory()
        let activity = StoreActivity(metrics: NOOPMetricsHandler.instance)
        var configuration = StoreConfiguration()
        configuration.observer = activity
        configuration.journalSegmentBytes = 1 << 20
        configuration.mapBytesInitial = 64 << 20
        configureStore(&configuration)
        var serving = StoreServerConfiguration()
        serving.endpoint = .init(host: "127.0.0.1", port: 0)
        configureServer(&serving)
        let store = try MailboxStore.open(
            at: directory.file("store"), configuration: configuration)
        let server = try StoreServer(
            store: store, activity: activity, configuration: serving,
            metrics: NOOPMetricsHandler.instance, logger: .silent)
        let answer = try await serve(store, server, body)
        try store.close()
        return answer
    }

    private static func serve<Answer: Sendable>(
        _ store: MailboxStore, _ server: StoreServer,
        _ body: @Sendable @escaping (TestServer) async throws -> Answer
    ) async throws -> Answer {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            guard case .tcp(_, let port) = try await server.addresses.first else {
                throw Missing("a port")
            }
            let client = try makeClient(port)
            group.addTask { try await client.runConnections() }
            let answer = try await body(
                TestServer(store: store, server: server, port: port, client: client))
            client.beginGracefulShutdown()
            server.beginDraining()
            try await group.waitForAll()
            return answer
        }
    }

    /// A client with a connection of its own. Its `runConnections` is the caller's.
    static func makeClient(_ port: Int) throws -> GRPCClient<HTTP2ClientTransport.Posix> {
        GRPCClient(
            transport: try .http2NIOPosix(
                target: .ipv4(address: "127.0.0.1", port: port), transportSecurity: .plaintext,
                config: .defaults { config in
                    config.channelDebuggingCallbacks.onCreateTCPConnection = ReadCompletion.add
                }))
    }

    /// Runs `body` with a connection of its own, which is cut afterwards, whatever is under way.
    func withConnection<Answer: Sendable>(
        _ body: @Sendable @escaping (GRPCClient<HTTP2ClientTransport.Posix>) async throws -> Answer
    ) async throws -> Answer {
        let client = try Self.makeClient(port)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try? await client.runConnections() }
            let answer = try await body(client)
            group.cancelAll()
            return answer
        }
    }
}

/// A directory for one test, removed when the test is done with it: in memory where there is such a
/// file system.
final class TestDirectory: Sendable {
    let path: String

    init() throws {
        let isInMemory = FileManager.default.isWritableFile(atPath: "/dev/shm")
        path = "\(isInMemory ? "/dev/shm" : NSTemporaryDirectory())/mailbox-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

struct Missing: Error {
    let what: String
    init(_ what: String) { self.what = what }
}

extension Logger {
    static var silent: Logger { Logger(label: "test") { _ in SwiftLogNoOpLogHandler() } }
}

/// The typed refusal that a call fails with.
func refusal(_ body: () async throws -> Void) async throws -> StoreError {
    do {
        try await body()
    } catch let error as RPCError {
        guard let refusal = StoreError(detailOf: error) else { throw error }
        // The status and the detail tell the same.
        #expect(error.code == ErrorMap.status(refusal.code))
        return refusal
    }
    throw Missing("a refusal")
}

extension Wire.Append {
    static func of(
        _ sender: String, _ receiver: String, _ body: String, device: String? = nil,
        number: UInt32 = 0
    ) -> Self {
        .with {
            $0.sender = sender
            $0.receiver = receiver
            $0.body = Data(body.utf8)
            if let device {
                $0.producer.device = device
                $0.producer.clientSequence = number
            }
        }
    }
}

extension Wire.MailboxID {
    static func of(_ sender: String, _ receiver: String) -> Self {
        .with {
            $0.sender = sender
            $0.receiver = receiver
        }
    }
}
