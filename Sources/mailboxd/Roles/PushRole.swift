import Logging
import Mailbox
import PushSrv
import ServiceLifecycle
import StoreAPI

/// `mailboxd push`: brings hints to devices.
struct PushRole: Role {
    static let name = "push"
    static let abstract = "Brings new messages to devices, or notifies them (PushSrv)."
    static let settings = PushSettings.all

    static func check(_ values: SettingValues) throws {
        try values.checkRole(name)
        _ = try values.anyPeer("recv.addresses", .init(label: name))
    }

    static func run(_ values: SettingValues) async throws {
        let process = RoleProcess(values, help: help(PushActivity.descriptions))
        let activity = PushActivity(metrics: process.metrics)
        let receiver = try RecvClient(try values.anyPeer("recv.addresses", process.logger))
        let hub = try await PushHub(
            receiver: receiver, providers: values.pushProviders(),
            configuration: values.pushConfiguration(), activity: activity, logger: process.logger)
        let server = PushServer(
            hub: hub, configuration: try values.hostConfiguration(), activity: activity,
            logger: process.logger)
        try await process.run(
            [
                ClientService(work: { try await receiver.run() }, close: { receiver.close() }),
                hub,
                ServingService(values: values) { try await server.run() },
            ],
            RoleProcess.Probes(
                isReady: { server.isReady }, collect: { hub.collectMetrics() },
                ready: { ReadyLine(grpc: try? await server.addresses) }))
    }
}
