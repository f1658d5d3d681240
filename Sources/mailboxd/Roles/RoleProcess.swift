import Foundation
import Logging
import Mailbox
import MetricsText
import ServiceLifecycle
import Synchronization

/// What every role's process does beside its work: logs, metrics, readiness, signals.
struct RoleProcess {
    /// What a role tells of itself.
    struct Probes: Sendable {
        /// Whether calls are taken.
        var isReady: @Sendable () -> Bool
        /// Why it must be started anew; nil while it need not.
        var failure: @Sendable () -> StoreError? = { nil }
        /// Brings the metrics that are read on demand up to date.
        var collect: @Sendable () async -> Void = {}
        /// What stands in the line that says that it is ready, once it is; nil when it will not be.
        var ready: @Sendable () async -> ReadyLine?
        /// What the operator sees beside the metrics; nil when it is not served.
        var operatorPage: OperatorPage? = nil
    }

    let values: SettingValues
    let logger: Logger
    let metrics: MetricsTextFactory

    /// - Parameters:
    ///   - values: the role's settings.
    ///   - help: a line for each metric.
    init(_ values: SettingValues, help: [String: String]) {
        self.values = values
        OpenFiles.raiseLimit()
        let format = LineLogHandler.Format(rawValue: values.text("log.format")) ?? .text
        let level = values.logLevel
        LoggingSystem.bootstrap { LineLogHandler(label: $0, format: format, level: level) }
        logger = Logger(label: "mailboxd")
        metrics = MetricsTextFactory(help: help.merging(ProcessGauges.help) { $1 })
    }

    /// Runs services, in this order, until a signal says otherwise; then they are ended in the
    /// reverse one. Metrics are there from first to last.
    ///
    /// - Throws: what kept one from starting, or from going on.
    func run(_ services: [any Service], _ probes: Probes) async throws {
        let metricsPort = Announcement<Int?>()
        var all: [any Service] = []
        if values.flag("metrics.enabled") {
            all.append(
                MetricsService(
                    host: values.text("metrics.host"), port: values.integer("metrics.port"),
                    connectionsMaximum: values.integer("metrics.connections"),
                    idleMaximum: .seconds(values.integer("metrics.idleSeconds")),
                    metrics: metrics, process: ProcessGauges(metrics), probes: probes,
                    logger: logger, bound: metricsPort))
        } else {
            metricsPort.tell(0)
        }
        all += services
        all.append(
            ReadinessService(
                probes: probes, metricsHost: values.text("metrics.host"),
                metricsPort: metricsPort))
        try await run(all)
    }

    private func run(_ services: [any Service]) async throws {
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
}

/// Whether a signal came.
private final class Ending: Sendable {
    private let flag = Atomic<Bool>(false)
    var hasBegun: Bool { flag.load(ordering: .acquiring) }
    func begin() { flag.store(true, ordering: .releasing) }
}

/// Says that the daemon is ready, once it is.
private struct ReadinessService: Service {
    let probes: RoleProcess.Probes
    let metricsHost: String
    let metricsPort: Announcement<Int?>

    func run() async throws {
        // An address that could not be bound is the server's own error.
        if let ready = await probes.ready(), let port = await metricsPort.value {
            let host = metricsHost.contains(":") ? "[\(metricsHost)]" : metricsHost
            let place = port > 0 ? "\(host):\(port)" : nil
            let metrics = place.map { " metrics=\($0)" } ?? ""
            Output.write("ready \(ready.places)\(metrics)\(ready.facts)\n")
            if let greeting = ready.greeting { Output.write(greeting(place)) }
            Notification.send("READY=1", to: ProcessInfo.processInfo.environment["NOTIFY_SOCKET"])
        }
        try await gracefulShutdown()
    }
}
