import Logging
import Mailbox
import Metrics
import StoreAPI
import Synchronization

@testable import ConnectSrv

/// A server on loopback, with the services behind it in memory.
struct TestServer: Sendable {
    let server: ConnectServer
    let services: TestServices
    let tokens: TestTokens
    let port: Int
    let log: CapturedLog

    /// Serves while `body` runs; ends in order behind it.
    static func run(
        limits: ConnectLimits = ConnectLimits(), isDemo: Bool = false,
        tls: ConnectServerConfiguration.TLS? = nil,
        admits: (@Sendable (Address, Address) -> Bool)? = nil,
        metrics: any MetricsFactory = NOOPMetricsHandler.instance,
        _ body: @escaping @Sendable (TestServer) async throws -> Void
    ) async throws {
        var configuration = ConnectServerConfiguration()
        configuration.endpoint.port = 0
        configuration.tls = tls
        configuration.admits = admits
        configuration.limits = limits
        configuration.limits.reconnectSpread = .milliseconds(50)
        configuration.limits.closeMaximum = .milliseconds(500)
        let tokens = try await TestTokens.secret()
        let demo = isDemo ? try await DemoTokens() : nil
        let services = TestServices()
        let log = CapturedLog()
        let server = try ConnectServer(
            configuration: configuration,
            tokens: try await TokenVerifier(keys: [tokens.key] + (demo.map { [$0.key] } ?? [])),
            demo: demo, sender: services, receiver: StorageReceiver(services.store),
            pushes: services, metrics: metrics, logger: log.logger)
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await server.run() }
            let port = try await server.address.port
            do {
                try await body(
                    TestServer(
                        server: server, services: services, tokens: tokens, port: port, log: log))
            } catch {
                server.beginDraining()
                throw error
            }
            server.beginDraining()
            try await group.waitForAll()
        }
    }

    /// A device that was welcomed.
    func device(
        _ account: String, _ name: String = "phone", format: WireFormat = .proto,
        expiresInSeconds: Int = 600
    ) async throws -> TestDevice {
        let device = try await TestDevice.open(port: port, format: format)
        try await device.hello(
            try tokens.token(account, expiresInSeconds: expiresInSeconds), device: name)
        return device
    }
}

/// Everything that is logged, at every level.
final class CapturedLog: Sendable {
    private let lines = Mutex<[String]>([])

    var text: String { lines.withLock { $0.joined(separator: "\n") } }

    var logger: Logger {
        var logger = Logger(label: "test") { _ in Handler(log: self) }
        logger.logLevel = .trace
        return logger
    }

    private struct Handler: LogHandler {
        let log: CapturedLog
        var metadata: Logger.Metadata = [:]
        var logLevel = Logger.Level.trace

        subscript(metadataKey key: String) -> Logger.Metadata.Value? {
            get { metadata[key] }
            set { metadata[key] = newValue }
        }

        func log(event: LogEvent) {
            log.lines.withLock {
                $0.append("\(event.message) \(event.metadata ?? [:])")
            }
        }
    }
}
