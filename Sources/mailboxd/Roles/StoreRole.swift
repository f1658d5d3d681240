import Logging
import ServiceLifecycle
import StoreEngine
import StoreSrv

/// `mailboxd store`: a store with all that serves it: opened first, closed last.
struct StoreRole: Role {
    static let name = "store"
    static let abstract = "Serves a store over gRPC."
    static let settings = StoreSettings.all

    static func check(_ values: SettingValues) throws { try values.check() }

    static func run(_ values: SettingValues) async throws {
        let process = RoleProcess(values, help: metricHelp)
        let activity = StoreActivity(metrics: process.metrics)
        try await withStore(process, activity) { store in
            let server = try StoreServer(
                store: store, activity: activity, configuration: values.serverConfiguration(),
                metrics: process.metrics, logger: process.logger)
            try await process.run(
                [ServingService(values: values) { try await server.run() }],
                RoleProcess.Probes(
                    isReady: { server.isReady }, failure: { server.failure },
                    // What the store cannot tell, while it is closed, stays as it was told last.
                    collect: { try? await server.collectMetrics() },
                    ready: {
                        ReadyLine(
                            grpc: try? await server.addresses, facts: " epoch=\(store.epoch)")
                    }))
        }
    }

    /// Opens the store, and closes it when the work is done.
    ///
    /// - Throws: what `work` throws; `StoreError` when the store cannot be opened, or closed well.
    static func withStore(
        _ process: RoleProcess, _ activity: StoreActivity,
        _ work: (MailboxStore) async throws -> Void
    ) async throws {
        var configuration = process.values.storeConfiguration()
        configuration.observer = activity
        let path = process.values.text("directory")
        let opening = ContinuousClock.now
        let store = try MailboxStore.open(at: path, configuration: configuration)
        process.logger.info(
            "the store is open",
            metadata: [
                "directory": "\(path)", "epoch": "\(store.epoch)", "shards": "\(store.shardCount)",
                "took": "\(ContinuousClock.now - opening)",
            ])
        do {
            try await work(store)
        } catch {
            try? store.close()
            throw error
        }
        try store.close()
        process.logger.info("the store is closed")
    }

    /// A line for each metric.
    static var metricHelp: [String: String] {
        Dictionary(uniqueKeysWithValues: MetricNames.all.map { ($0.name, $0.help) })
    }
}
