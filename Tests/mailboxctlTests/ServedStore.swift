import Foundation
import Logging
import Mailbox
import Metrics
import StoreAPI
import StoreEngine
import StoreSrv

@testable import mailboxctl

/// How a test reaches a served store.
enum Way: CaseIterable, Sendable {
    case tcp, unixSocket
}

/// Where a store is served, and its store.
struct Served: Sendable {
    let store: MailboxStore
    let server: StoreServer
    /// What `--connect` gets.
    let address: String

    /// Serves the store in `path`, which is created when it is missing, while `body` runs.
    static func with<Answer: Sendable>(
        _ path: String, _ way: Way = .tcp,
        _ body: @Sendable (Served) async throws -> Answer
    ) async throws -> Answer {
        let activity = StoreActivity(metrics: NOOPMetricsHandler.instance)
        var configuration =
            StoreLocation.hasStore(path) ? StoreConfiguration() : StoreConfiguration.created
        configuration.observer = activity
        configuration.journalSegmentBytes = 1 << 20
        configuration.mapBytesInitial = 64 << 20
        var serving = StoreServerConfiguration()
        let socket = path + ".socket"
        switch way {
        case .tcp: serving.endpoint = .init(host: "127.0.0.1", port: 0)
        case .unixSocket:
            serving.endpoint = nil
            serving.socketPath = socket
        }
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let server = try StoreServer(
            store: store, activity: activity, configuration: serving,
            metrics: NOOPMetricsHandler.instance,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let answer = try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            var address = "unix:" + socket
            for case .tcp(_, let port) in try await server.addresses {
                address = "127.0.0.1:\(port)"
            }
            let result: Result<Answer, any Error>
            do {
                result = .success(
                    try await body(Served(store: store, server: server, address: address)))
            } catch {
                result = .failure(error)
            }
            server.beginDraining()
            try await group.waitForAll()
            return try result.get()
        }
        try store.close()
        return answer
    }
}

/// A port of this machine where nobody listens, or where somebody takes connections and is silent.
final class SilentPort: Sendable {
    private let descriptor: Int32
    let port: Int

    /// - Parameter listens: takes connections, and never answers; else they are refused.
    init(listens: Bool) throws {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        var length = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isBound = withUnsafeMutablePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) { plain in
                bind(descriptor, plain, length) == 0
                    && getsockname(descriptor, plain, &length) == 0
            }
        }
        guard isBound, !listens || listen(descriptor, 16) == 0 else {
            close(descriptor)
            throw Failure.file("127.0.0.1", doing: "listen on", errno: errno)
        }
        self.descriptor = descriptor
        port = Int(UInt16(bigEndian: address.sin_port))
    }

    deinit { close(descriptor) }
}
