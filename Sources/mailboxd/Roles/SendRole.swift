import Logging
import Mailbox
import SendSrv
import ServiceLifecycle
import StoreAPI

/// `mailboxd send`: takes messages for a store elsewhere.
struct SendRole: Role {
    static let name = "send"
    static let abstract = "Takes messages on behalf of devices (SendSrv)."
    static let settings = SendSettings.all

    static func check(_ values: SettingValues) throws {
        try values.checkRole(name)
        _ = try values.anyPeer("store.address", .init(label: name))
    }

    static func run(_ values: SettingValues) async throws {
        let process = RoleProcess(values, help: help(SendActivity.descriptions))
        let activity = SendActivity(metrics: process.metrics)
        let store = try StoreClient(try values.anyPeer("store.address", process.logger))
        var services: [any Service] = [
            ClientService(work: { try await store.run() }, close: { store.close() })
        ]
        let push: any PushNotifying
        let pushPeers = values.peers("push.addresses", process.logger)
        if pushPeers.isEmpty {
            push = NoPush()
        } else {
            let client = try PushClient(pushPeers)
            client.noteLoss()
            services.append(
                ClientService(work: { try await client.run() }, close: { client.close() }))
            push = client
        }
        let sender = MessageSender(
            storage: store, facts: .init(store), push: push,
            configuration: values.sendConfiguration(), activity: activity)
        services.append(FinishingService { await sender.drain() })
        let server = SendServer(
            sender: sender, info: { try await store.info() },
            configuration: try values.hostConfiguration(), activity: activity,
            logger: process.logger)
        services.append(ServingService(values: values) { try await server.run() })
        try await process.run(
            services,
            RoleProcess.Probes(
                isReady: { server.isReady },
                ready: { ReadyLine(grpc: try? await server.addresses) }))
    }
}
