import ConnectSrv
import Logging
import Mailbox
import PushSrv
import SendSrv
import ServiceLifecycle
import StoreAPI
import StoreEngine
import StoreSrv

/// `mailboxd all`: everything in one process, without a network between the roles.
struct AllRole: Role {
    static let name = "all"
    static let abstract = "Serves devices, with everything behind them in one process."
    static let settings = AllSettings.all

    static func check(_ values: SettingValues) throws {
        try values.check(needsPlace: false)
        try values.checkConnect()
        try values.checkPush(needsRegistry: false)
        try values.checkOperator()
    }

    static func run(_ values: SettingValues) async throws { try await run(values, greeting: nil) }

    /// Runs with a text for people behind the line that says that it is ready.
    static func run(
        _ values: SettingValues, greeting: (@Sendable (AllPlaces) -> String)?
    ) async throws {
        let process = RoleProcess(values, help: metricHelp)
        let activity = StoreActivity(metrics: process.metrics)
        try await StoreRole.withStore(process, activity) { store in
            try await serve(values, process, store, activity, greeting)
        }
    }

    private static func serve(
        _ values: SettingValues, _ process: RoleProcess, _ store: MailboxStore,
        _ activity: StoreActivity, _ greeting: (@Sendable (AllPlaces) -> String)?
    ) async throws {
        let receiver = try LocalReceiver(
            store, threads: values.integer("limits.readThreads"),
            queueMaximum: values.integer("limits.readQueue"), activity: activity)
        let hub = try await PushHub(
            receiver: receiver, providers: values.pushProviders(),
            configuration: values.pushConfiguration(
                registryPath: values.text("directory") + "/push.sqlite"),
            activity: PushActivity(metrics: process.metrics), logger: process.logger)
        let bodyBytes = store.configuration.messageBytesMaximum
        let sender = MessageSender(
            storage: store,
            facts: MessageSender.Facts(
                bodyBytesMaximum: { () async throws(StoreError) in bodyBytes }),
            push: hub, configuration: values.sendConfiguration(),
            activity: SendActivity(metrics: process.metrics))
        let server = try await ConnectRole.makeServer(
            values, process, sender: sender, receiver: receiver, pushes: hub)
        // The store's own metrics come with its server, whether or not that has an address.
        let storeServer = try StoreServer(
            store: store, activity: activity, configuration: values.serverConfiguration(),
            metrics: process.metrics, logger: process.logger)
        var services: [any Service] = [FinishingService { receiver.close() }]
        if values.hasPlace {
            services.append(ServingService(values: values) { try await storeServer.run() })
        }
        services += [
            hub, FinishingService { await sender.drain() },
            ConnectingService(server: server, values: values),
        ]
        var probes = probes(values, server, storeServer, store, greeting)
        probes.operatorPage = try OperatorAccess(values).map { access in
            OperatorPage(
                access: access, receiver: receiver, showsBodies: values.flag("operator.bodies"))
        }
        probes.collect = {
            hub.collectMetrics()
            try? await storeServer.collectMetrics()
        }
        try await process.run(services, probes)
    }

    /// What the process tells, but for its metrics.
    private static func probes(
        _ values: SettingValues, _ server: ConnectServer, _ storeServer: StoreServer,
        _ store: MailboxStore, _ greeting: (@Sendable (AllPlaces) -> String)?
    ) -> RoleProcess.Probes {
        var probes = ConnectRole.probes(server)
        probes.failure = { storeServer.failure }
        probes.isReady = { server.isReady && store.failure == nil }
        probes.ready = { [ready = probes.ready, hasPlace = values.hasPlace] in
            guard var line = await ready() else { return nil }
            var places = AllPlaces(devices: String(line.places.dropFirst("ws=".count)))
            if hasPlace {
                let addresses = try? await storeServer.addresses
                guard let grpc = ReadyLine(grpc: addresses) else { return nil }
                line.places += " \(grpc.places)"
                places.store = addresses?.first.map { "\($0)" }
            }
            line.facts = " epoch=\(store.epoch)"
            if let greeting {
                line.greeting = { [places] metrics in
                    var places = places
                    places.metrics = metrics
                    return greeting(places)
                }
            }
            return line
        }
        return probes
    }

    private static var metricHelp: [String: String] {
        StoreRole.metricHelp
            .merging(help(SendActivity.descriptions, PushActivity.descriptions)) { $1 }
            .merging(help(ConnectServer.metricDescriptions)) { $1 }
    }
}

/// The keys of `mailboxd all`: those of every role, in one.
enum AllSettings {
    static let all: [Setting] =
        StoreSettings.directory + ConnectSettings.connect + ConnectSettings.tokens
        + HostSettings.metrics(port: 7_191) + OperatorSettings.all + ConnectSettings.limits
        + SendSettings.send
        + PushSettings.push + PushSettings.services + store + HostSettings.tls
        + HostSettings.limits + StoreSettings.reads + StoreSettings.engine + HostSettings.process

    /// The store over gRPC is for its operator, and is asked for.
    private static let store: [Setting] = HostSettings.places(port: 7_180).map { setting in
        guard setting.key == "listen.tcp" else { return setting }
        return Setting(
            "listen.tcp", .boolean, "false",
            "serve the store over gRPC, too, for mailboxctl and others that may do everything")
    }
}
