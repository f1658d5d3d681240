internal import GRPCCore
internal import GRPCNIOTransportHTTP2
public import Logging
public import Mailbox
public import Metrics
public import ServiceLifecycle
public import StoreEngine

/// A store, served over gRPC.
///
/// ```swift
/// let server = try StoreServer(store: store, activity: activity, configuration: configuration,
///                              metrics: metrics, logger: logger)
/// try await server.run()  // until a graceful shutdown, or until the task is cancelled
/// ```
/// On a graceful shutdown, no new calls are taken; what is under way is finished, and streams are
/// ended when what they brought is answered. The store stays open: it is the caller's.
public final class StoreServer: Service {
    /// Where a server takes connections.
    public enum Address: Hashable, Sendable, CustomStringConvertible {
        /// A TCP address and port.
        case tcp(host: String, port: Int)
        /// A Unix socket.
        case unix(path: String)

        /// `host:port`, or `unix:path`.
        public var description: String {
            switch self {
            case .tcp(let host, let port):
                host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .unix(let path): "unix:\(path)"
            }
        }
    }

    private let core: ServerCore
    private let connections: ConnectionLimit
    private let servers: [GRPCServer<HTTP2ServerTransport.Posix>]
    private let storeGauges: StoreGauges
    private let serverGauges: ServerGauges

    /// - Parameters:
    ///   - store: an open store.
    ///   - activity: what observes the store (`StoreConfiguration.observer`).
    ///   - configuration: addresses and limits.
    ///   - metrics: where the metrics go.
    ///   - logger: says what goes wrong; never what messages hold.
    /// - Throws: `failed` when the system has no threads to give.
    public init(
        store: MailboxStore, activity: StoreActivity,
        configuration: StoreServerConfiguration = StoreServerConfiguration(),
        metrics: any MetricsFactory, logger: Logger
    ) throws(StoreError) {
        BackupCopy.removeLeftovers(in: store.path)
        connections = ConnectionLimit(maximum: configuration.connectionsMaximum)
        core = ServerCore(
            store: store, configuration: configuration, lifecycle: ServerLifecycle(),
            reads: try BlockingPool(
                threadCount: configuration.readThreads,
                queueMaximum: configuration.readQueueMaximum),
            maintenance: try BlockingPool(threadCount: 2, queueMaximum: 16),
            appendCredit: CreditCounter(maximum: configuration.appendBytesMaximum),
            activity: activity, logger: logger)
        storeGauges = StoreGauges(metrics)
        serverGauges = ServerGauges(metrics)
        let services: [any RegistrableRPCService] = [
            StoreService(core: core), AdminService(core: core), HealthService(core: core),
        ]
        servers = configuration.makeTransports(connections).map {
            GRPCServer(transport: $0, services: services)
        }
    }

    /// Serves until a graceful shutdown is done, or the task is cancelled.
    ///
    /// - Throws: what kept an address from being bound.
    public func run() async throws {
        defer {
            core.reads.close(waiting: true)
            core.maintenance.close(waiting: false)
        }
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in servers { group.addTask { try await server.serve() } }
                while try await group.next() != nil {}
            }
        } onGracefulShutdown: {
            self.beginDraining()
        }
    }

    /// Takes no new calls, and ends when those under way are done.
    public func beginDraining() {
        core.lifecycle.beginDraining()
        for server in servers { server.beginGracefulShutdown() }
    }

    /// Where the server takes connections; waits until all addresses are bound.
    ///
    /// - Throws: when one could not be bound; `run` says why.
    public var addresses: [Address] {
        get async throws {
            var addresses: [Address] = []
            for server in servers {
                let address = try await server.transport.listeningAddress
                if let ipv4 = address.ipv4 {
                    addresses.append(.tcp(host: ipv4.host, port: ipv4.port))
                } else if let ipv6 = address.ipv6 {
                    addresses.append(.tcp(host: ipv6.host, port: ipv6.port))
                } else if let unix = address.unixDomainSocket {
                    addresses.append(.unix(path: unix.path))
                }
            }
            return addresses
        }
    }

    /// Whether calls are taken: false while the server ends, and when the store failed.
    public var isReady: Bool { !core.lifecycle.isDraining && core.store.failure == nil }

    /// Why the store takes no more writes; nil while it does.
    public var failure: StoreError? { core.store.failure }

    /// Brings the metrics that are read on demand up to date.
    ///
    /// - Throws: `overloaded`, `closed`, `failed`: then they are as they were.
    public func collectMetrics() async throws(StoreError) {
        let store = core.store
        let statistics = try await core.reads.run { () throws(StoreError) in
            try store.statistics()
        }
        storeGauges.set(statistics)
        serverGauges.set(
            ServerGauges.Values(
                mapHeadroomBytes: store.configuration.mapBytesMaximum * store.shardCount
                    - statistics.dataBytesUsed,
                calls: core.lifecycle.calls, connections: connections.current,
                appendCreditBytes: core.appendCredit.taken, readsWaiting: core.reads.waiting,
                isDraining: core.lifecycle.isDraining))
    }
}
