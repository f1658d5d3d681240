import Logging
import Mailbox
import RecvSrv
import ServiceLifecycle
import StoreAPI

/// `mailboxd recv`: hands out messages of a store elsewhere.
struct RecvRole: Role {
    static let name = "recv"
    static let abstract = "Hands out messages on behalf of devices (RecvSrv)."
    static let settings = RecvSettings.all

    static func check(_ values: SettingValues) throws {
        try values.checkRole(name)
        _ = try values.anyPeer("store.address", .init(label: name))
    }

    static func run(_ values: SettingValues) async throws {
        let process = RoleProcess(values, help: help(RecvActivity.descriptions))
        let store = try StoreClient(try values.anyPeer("store.address", process.logger))
        let server = RecvServer(
            receiver: StorageReceiver(store), info: { try await store.info() },
            configuration: try values.hostConfiguration(),
            activity: RecvActivity(metrics: process.metrics), logger: process.logger)
        try await process.run(
            [
                ClientService(work: { try await store.run() }, close: { store.close() }),
                ServingService(values: values) { try await server.run() },
            ],
            RoleProcess.Probes(
                isReady: { server.isReady },
                ready: { ReadyLine(grpc: try? await server.addresses) }))
    }
}
