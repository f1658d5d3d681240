import ConnectSrv
import Logging
import Mailbox
import MetricsText
import ServiceLifecycle
import StoreAPI

/// `mailboxd connect`: serves devices, with the other roles elsewhere.
struct ConnectRole: Role {
    static let name = "connect"
    static let abstract = "Serves devices over WebSockets (ConnectSrv)."
    static let settings = ConnectSettings.all

    static func check(_ values: SettingValues) throws {
        try values.checkPeers()
        try values.checkConnect()
        let logger = Logger(label: name)
        _ = try values.anyPeer("send.addresses", logger)
        _ = try values.anyPeer("recv.addresses", logger)
        guard !values.peers("push.addresses", logger).isEmpty else {
            throw Failure.configuration(["push.addresses is not set; name at least one address"])
        }
    }

    static func run(_ values: SettingValues) async throws {
        let process = RoleProcess(values, help: help(ConnectServer.metricDescriptions))
        let logger = process.logger
        let sender = try SendClient(try values.anyPeer("send.addresses", logger))
        let receiver = try RecvClient(try values.anyPeer("recv.addresses", logger))
        let pushes = try PushClient(values.peers("push.addresses", logger))
        let server = try await makeServer(
            values, process, sender: sender, receiver: receiver, pushes: pushes)
        try await process.run(
            [
                ClientService(work: { try await pushes.run() }, close: { pushes.close() }),
                ClientService(work: { try await receiver.run() }, close: { receiver.close() }),
                ClientService(work: { try await sender.run() }, close: { sender.close() }),
                ConnectingService(server: server, values: values),
            ], probes(server))
    }

    /// The server, with what its settings say.
    ///
    /// - Throws: `Failure` when a key or a certificate cannot be used.
    static func makeServer(
        _ values: SettingValues, _ process: RoleProcess, sender: any MessageSending,
        receiver: any MessageReceiving, pushes: any PushAttaching
    ) async throws -> ConnectServer {
        let (tokens, demo) = try await values.tokens()
        do {
            return try ConnectServer(
                configuration: values.connectConfiguration(), tokens: tokens, demo: demo,
                sender: sender, receiver: receiver, pushes: pushes, metrics: process.metrics,
                logger: process.logger)
        } catch {
            throw Failure.configuration(["\(error)"])
        }
    }

    /// What the process tells of the server.
    static func probes(_ server: ConnectServer) -> RoleProcess.Probes {
        RoleProcess.Probes(
            isReady: { server.isReady },
            ready: {
                guard let address = try? await server.address else { return nil }
                let host = address.host.contains(":") ? "[\(address.host)]" : address.host
                return ReadyLine(places: "ws=\(host):\(address.port)")
            })
    }
}

/// The server, with its errors in the daemon's terms.
struct ConnectingService: Service {
    let server: ConnectServer
    let values: SettingValues

    func run() async throws {
        do {
            try await server.run()
        } catch is CancellationError {
            throw CancellationError()
        } catch {
            let place = "\(values.text("connect.host")):\(values.text("connect.port"))"
            throw Failure.cannotListen("connect", place, error)
        }
    }
}
