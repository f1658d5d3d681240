import Logging
import Mailbox
import Metrics
import ServiceHost

@testable import PushSrv
@testable import StoreAPI

/// PushSrv: the hub, and the service in front of it. It may hold so little that it has to forget,
/// and to look again.
///
/// `@unchecked Sendable`: one thread runs a world.
final class PushProcess: SimulatedProcess, @unchecked Sendable {
    private(set) var service: PushService!

    init(_ services: ServicesBackend) {
        super.init()
        let storage = SimulatedStorage(services, self)
        let notifier = SimulatedNotifier(services, self, storage)
        let activity = PushActivity(metrics: NOOPMetricsHandler.instance)
        let hub = PushHub(
            receiver: StorageReceiver(storage), services: [.webhook: notifier],
            registry: notifier, configuration: Self.configuration, activity: activity,
            logger: ServicesBackend.logger)
        service = PushService(
            core: PushCore(
                hub: hub, configuration: HostConfiguration(), lifecycle: ServerLifecycle(),
                activity: activity, logger: ServicesBackend.logger))
        let run = services.start { await hub.run() }
        onDeath { run.cancel() }
    }

    private static var configuration: PushConfiguration {
        var configuration = PushConfiguration(registryPath: "")
        configuration.pushesWaitingMaximum = 4
        configuration.owedMaximum = 3
        configuration.sendsMaximum = 2
        configuration.lookAgainDelay = .seconds(5)
        configuration.quietTime = .seconds(4)
        configuration.silenceDelay = .seconds(8)
        // The oracle waits longer than that.
        configuration.retryMaximum = .seconds(30)
        return configuration
    }
}
