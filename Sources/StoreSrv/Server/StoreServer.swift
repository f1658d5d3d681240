internal import GRPCCore
public import Logging
public import Mailbox
public import Metrics
public import ServiceHost
public import ServiceLifecycle
internal import StoreAPI
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
    public typealias Address = ListeningAddress

    private let core: ServerCore
    private let hosted: HostedServer
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
        let core = ServerCore(
            store: store, configuration: configuration, lifecycle: ServerLifecycle(),
            reads: try BlockingPool(
                threadCount: configuration.readThreads,
                queueMaximum: configuration.readQueueMaximum),
            maintenance: try BlockingPool(threadCount: 2, queueMaximum: 16),
            appendCredit: CreditCounter(maximum: configuration.appendBytesMaximum),
            activity: activity, logger: logger)
        storeGauges = StoreGauges(metrics)
        serverGauges = ServerGauges(metrics)
        let health = HealthService(
            services: [
                Wire.StoreService.descriptor.fullyQualifiedService,
                Wire.AdminService.descriptor.fullyQualifiedService,
            ]
        ) { !core.lifecycle.isDraining && core.store.failure == nil }
        hosted = HostedServer(
            [StoreService(core: core), AdminService(core: core), health],
            configuration: configuration.host, lifecycle: core.lifecycle)
        self.core = core
    }

    /// Serves until a graceful shutdown is done, or the task is cancelled.
    ///
    /// - Throws: what kept an address from being bound.
    public func run() async throws {
        defer {
            core.reads.close(waiting: true)
            core.maintenance.close(waiting: false)
        }
        try await hosted.run()
    }

    /// Takes no new calls, and ends when those under way are done.
    public func beginDraining() { hosted.beginDraining() }

    /// Where the server takes connections; waits until all addresses are bound.
    ///
    /// - Throws: when one could not be bound; `run` says why.
    public var addresses: [Address] {
        get async throws { try await hosted.addresses }
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
                calls: core.lifecycle.calls, connections: hosted.connections,
                appendCreditBytes: core.appendCredit.taken, readsWaiting: core.reads.waiting,
                isDraining: core.lifecycle.isDraining))
    }
}
