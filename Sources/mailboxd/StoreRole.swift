import Foundation
import Logging
import MetricsText
import ServiceLifecycle
import StoreEngine
import StoreSrv
import Synchronization

/// A store with all that serves it: opened first, closed last.
struct StoreRole {
    private let values: SettingValues
    private let logger: Logger

    init(_ values: SettingValues) {
        self.values = values
        let format = LineLogHandler.Format(rawValue: values.text("log.format")) ?? .text
        let level = values.logLevel
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format, level: level) }
        logger = Logger(label: "mailboxd")
    }

    /// Serves until a signal says otherwise.
    ///
    /// - Throws: `Failure` when it cannot start, or cannot end well.
    func run() async throws {
        let metrics = MetricsTextFactory(help: Self.help)
        let activity = StoreActivity(metrics: metrics)
        var configuration = values.storeConfiguration()
        configuration.observer = activity
        let path = values.text("directory")
        let opening = ContinuousClock.now
        let store = try MailboxStore.open(at: path, configuration: configuration)
        logger.info(
            "the store is open",
            metadata: [
                "directory": "\(path)", "epoch": "\(store.epoch)", "shards": "\(store.shardCount)",
                "took": "\(ContinuousClock.now - opening)",
            ])
        do {
            try await serve(store, activity, metrics)
        } catch {
            try? store.close()
            throw error
        }
        try store.close()
        logger.info("the store is closed")
    }

    private func serve(
        _ store: MailboxStore, _ activity: StoreActivity, _ metrics: MetricsTextFactory
    ) async throws {
        let server = try StoreServer(
            store: store, activity: activity, configuration: values.serverConfiguration(),
            metrics: metrics, logger: logger)
        let metricsPort = Announcement<Int?>()
        var services: [any Service] = []
        if values.flag("metrics.enabled") {
            services.append(
                MetricsService(
                    host: values.text("metrics.host"), port: values.integer("metrics.port"),
                    metrics: metrics, process: ProcessGauges(metrics), server: server,
                    logger: logger, bound: metricsPort))
        } else {
            metricsPort.tell(0)
        }
        services.append(ServingService(server: server, values: values))
        services.append(
            ReadinessService(
                server: server, store: store, metricsHost: values.text("metrics.host"),
                metricsPort: metricsPort))
        try await run(services)
    }

    private func run(_ services: [any Service]) async throws {
        // They are ended in the reverse order: metrics are there to the last.
        var configuration = ServiceGroupConfiguration(
            services: services.map { .init(service: $0) }, logger: quiet)
        configuration.maximumGracefulShutdownDuration = .seconds(values.integer("drain.seconds"))
        let group = ServiceGroup(configuration: configuration)
        let ending = Ending()
        let signals = Signals { [logger] name in
            ending.begin()
            logger.notice("shutting down", metadata: ["signal": "\(name)"])
            Notification.send(
                "STOPPING=1", to: ProcessInfo.processInfo.environment["NOTIFY_SOCKET"])
            Task { await group.triggerGracefulShutdown() }
        }
        defer { withExtendedLifetime(signals) {} }
        do {
            try await group.run()
        } catch {
            guard ending.hasBegun else { throw error }
            logger.warning(
                "what was under way was cut off",
                metadata: ["seconds": "\(values.integer("drain.seconds"))"])
        }
    }

    /// What the group says of its services is of no use to an operator.
    private var quiet: Logger {
        var quiet = logger
        quiet.logLevel = max(logger.logLevel, .critical)
        return quiet
    }

    /// A line for each metric.
    private static var help: [String: String] {
        let store = MetricNames.all.map { ($0.name, $0.help) }
        return Dictionary(uniqueKeysWithValues: store).merging(ProcessGauges.help) { $1 }
    }
}

/// Whether a signal came.
private final class Ending: Sendable {
    private let flag = Atomic<Bool>(false)
    var hasBegun: Bool { flag.load(ordering: .acquiring) }
    func begin() { flag.store(true, ordering: .releasing) }
}

/// The server, with its errors in the daemon's terms.
private struct ServingService: Service {
    let server: StoreServer
    let values: SettingValues

    func run() async throws {
        do {
            try await server.run()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let tcp = "\(values.text("listen.host")):\(values.text("listen.port"))"
            let places = [
                values.flag("listen.tcp") ? tcp : nil,
                values.optional("listen.socket").map { "unix:\($0)" },
            ].compactMap { $0 }
            throw Failure.cannotListen("listen", places.joined(separator: " or "), error)
        }
    }
}

/// Says that the daemon is ready, once it is.
private struct ReadinessService: Service {
    let server: StoreServer
    let store: MailboxStore
    let metricsHost: String
    let metricsPort: Announcement<Int?>

    func run() async throws {
        // An address that could not be bound is the server's own error.
        if let addresses = try? await server.addresses, !addresses.isEmpty,
            let port = await metricsPort.value
        {
            let metrics = port > 0 ? " metrics=\(metricsHost):\(port)" : ""
            let places = addresses.map { "grpc=\($0)" }.joined(separator: " ")
            Output.write("ready \(places)\(metrics) epoch=\(store.epoch)\n")
            Notification.send("READY=1", to: ProcessInfo.processInfo.environment["NOTIFY_SOCKET"])
        }
        try await gracefulShutdown()
    }
}
