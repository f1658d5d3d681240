import Logging
import Mailbox
import Metrics
import ServiceHost

@testable import PushSrv
@testable import StoreAPI

/// PushSrv: the hub, and the service in front of it. It notifies nobody who is not online.
///
/// `@unchecked Sendable`: one thread runs a world.
final class PushProcess: SimulatedProcess, @unchecked Sendable {
    /// Nil until the hub has begun.
    private(set) var service: PushService?

    init(_ services: ServicesBackend, registryPath: String) {
        super.init()
        let receiver = StorageReceiver(SimulatedStorage(services, self))
        let run = services.start { [self] in
            guard
                let hub = try? await PushHub(
                    receiver: receiver, providers: PushProviders(),
                    configuration: PushConfiguration(registryPath: registryPath),
                    activity: PushActivity(metrics: NOOPMetricsHandler.instance),
                    logger: ServicesBackend.logger)
            else { fatalError("no registry can be made in \(registryPath)") }
            service = PushService(
                core: PushCore(
                    hub: hub, configuration: HostConfiguration(), lifecycle: ServerLifecycle(),
                    activity: PushActivity(metrics: NOOPMetricsHandler.instance),
                    logger: ServicesBackend.logger))
            await hub.run()
        }
        onDeath { run.cancel() }
    }
}
