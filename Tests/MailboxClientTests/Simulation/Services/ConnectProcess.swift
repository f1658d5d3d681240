import Logging
import Mailbox
import Metrics

@testable import ConnectSrv
@testable import PushSrv
@testable import StoreAPI

/// ConnectSrv: the sessions and their connections, and its attachments to every PushSrv.
///
/// `@unchecked Sendable`: one thread runs a world.
final class ConnectProcess: SimulatedProcess, @unchecked Sendable {
    private(set) var core: ConnectCore!
    private let services: ServicesBackend
    private let attachment: RemoteAttachment
    /// Takes no more connections.
    private(set) var isDraining = false

    init(_ services: ServicesBackend, name: String) {
        self.services = services
        var configuration = ConnectServerConfiguration()
        configuration.instance = name
        configuration.limits.heartbeat = .seconds(10)
        configuration.limits.requestsInFlightMaximum = 24
        configuration.limits.pageMessagesMaximum = 7
        configuration.limits.frameBytesMaximum = 100_000
        let limits = configuration.limits
        let metrics = ConnectMetrics(NOOPMetricsHandler.instance)
        let registry = SessionRegistry(metrics: metrics)
        attachment = RemoteAttachment(instance: name, peers: services.pushPlaces.count) {
            registry.deliver($0)
        }
        super.init()
        core = ConnectCore(
            configuration: configuration, tokens: services.keys.verifier, demo: nil,
            router: RequestRouter(
                sender: SimulatedSendLine(services, self),
                receiver: StorageReceiver(SimulatedStorage(services, self)),
                pushes: NoRegistrations(), limits: limits, metrics: metrics),
            registry: registry,
            accounts: TrafficTable(
                limits.accountTraffic, connectionsMaximum: limits.connectionsPerAccountMaximum),
            addresses: TrafficTable(
                limits.addressTraffic, connectionsMaximum: limits.connectionsPerAddressMaximum),
            metrics: metrics, logger: ServicesBackend.logger)
        registry.attach(attachment)
        onDeath { [attachment] in
            registry.attach(nil)
            attachment.detach()
        }
        for place in services.pushPlaces {
            services.start { await self.keepAttached(place) }
        }
    }

    func drain() { isDraining = true }

    /// As `PushClient` does it.
    private func keepAttached(_ place: Int) async {
        while isAlive {
            if let push = services.push(place) {
                await attach(place, push)
                attachment.connectionLost(place)
            }
            await services.world.pause(20...500)
        }
    }

    private func attach(_ place: Int, _ push: PushProcess) async {
        let call = SimulatedCall<Wire.AttachRequest, Wire.AttachResponse>(
            services.world, self, push)
        services.calls.append(call)
        let server = services.start { [service = push.service!] in
            try? await service.attach(call.incoming, call.writer)
            call.breakOff()
        }
        let writer = services.start { [attachment] in
            try? await attachment.write(place) { try call.send($0) }
        }
        call.onBreak {
            writer.cancel()
            server.cancel()
        }
        do {
            for try await answer in call.answers {
                for push in answer.pushes where isAlive {
                    attachment.deliver(try Push(wire: push))
                }
            }
        } catch {}
        call.breakOff()
    }
}

/// Devices register without a word: see `SimulatedWorld`.
private struct NoRegistrations: PushAttaching {
    func attach(
        _ instance: String, deliver: @escaping @Sendable (Push) -> Void
    ) -> any PushAttachment { fatalError("instances attach to each PushSrv") }

    func register(_ registration: PushRegistration) async throws(StoreError) {
        throw .invalidArgument("nobody registers so here")
    }

    func unregister(_ account: Address, device: DeviceID) async throws(StoreError) {}
}
