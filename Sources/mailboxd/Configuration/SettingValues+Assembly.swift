import Logging
import Mailbox
import ServiceHost
import StoreEngine
import StoreSrv

extension SettingValues {
    /// What the engine is opened with.
    func storeConfiguration() -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.mode = flag("create") ? .openOrCreate : .open
        configuration.shardCount = integer("engine.shards")
        configuration.durability = Durability(rawValue: text("engine.durability")) ?? .commit
        configuration.syncIntervalMilliseconds = integer("engine.syncIntervalMilliseconds")
        configuration.retention = Retention.parse(text("engine.retention"))
        configuration.messageBytesMaximum = bytes("engine.messageBytes")
        configuration.batchMessagesMaximum = integer("engine.batchMessages")
        configuration.queueBytesMaximum = bytes("engine.queueBytes")
        configuration.pageMessagesMaximum = integer("engine.pageMessages")
        configuration.pageBytesMaximum = bytes("engine.pageBytes")
        configuration.tailBytesMaximum = bytes("engine.tailBytes")
        configuration.headCacheMaximum = integer("engine.headCache")
        configuration.checkpointIntervalMilliseconds =
            integer("engine.checkpointIntervalMilliseconds")
        configuration.checkpointJournalBytes = bytes("engine.checkpointJournalBytes")
        configuration.journalSegmentBytes = bytes("engine.journalSegmentBytes")
        configuration.mapBytesInitial = bytes("engine.mapBytesInitial")
        configuration.mapBytesMaximum = bytes("engine.mapBytes")
        configuration.readersMaximum = integer("engine.readers")
        configuration.watchersMaximum = integer("engine.watchers")
        configuration.watchBacklogMaximum = integer("engine.watchBacklog")
        return configuration
    }

    /// How the store is served.
    ///
    /// - Throws: `Failure` when values do not fit together.
    func serverConfiguration() throws -> StoreServerConfiguration {
        var configuration = StoreServerConfiguration()
        configuration.host = try hostConfiguration()
        configuration.appendBytesMaximum = bytes("limits.appendBytes")
        configuration.readThreads = integer("limits.readThreads")
        configuration.readQueueMaximum = integer("limits.readQueue")
        return configuration
    }

    /// Where a role takes its calls, and what they may cost.
    ///
    /// - Throws: `Failure` when values do not fit together.
    func hostConfiguration() throws -> HostConfiguration {
        var configuration = HostConfiguration()
        configuration.endpoint =
            flag("listen.tcp")
            ? .init(host: text("listen.host"), port: integer("listen.port")) : nil
        configuration.socketPath = optional("listen.socket")
        configuration.tls = try tls()
        configuration.requestBytesMaximum = bytes("limits.requestBytes")
        configuration.connectionsMaximum = integer("limits.connections")
        configuration.streamsPerConnectionMaximum = integer("limits.streamsPerConnection")
        configuration.streamBytesMaximum = bytes("limits.streamBytes")
        configuration.connectionIdleMaximum = duration("limits.idleSeconds")
        configuration.connectionAgeMaximum = duration("limits.ageSeconds")
        configuration.connectionGraceMaximum = duration("limits.graceSeconds")
        configuration.keepaliveInterval = .seconds(integer("limits.keepaliveSeconds"))
        configuration.keepaliveTimeout = .seconds(integer("limits.keepaliveTimeoutSeconds"))
        configuration.pingIntervalMinimum = .seconds(integer("limits.pingSeconds"))
        configuration.version = Version.text
        return configuration
    }

    /// Whether the role takes calls over gRPC at all.
    var hasPlace: Bool { flag("listen.tcp") || optional("listen.socket") != nil }

    /// What does not fit together, whatever each value is.
    ///
    /// - Parameter needsPlace: whether it makes no sense without an address for gRPC.
    func check(needsPlace: Bool = true) throws {
        var problems: [String] = []
        if optional("directory") == nil {
            problems.append("directory is not set; name the store's directory")
        }
        if needsPlace, !hasPlace {
            problems.append("no address is left: set listen.tcp, or listen.socket")
        }
        if bytes("limits.appendBytes") > bytes("engine.queueBytes") {
            problems.append(
                "limits.appendBytes is \(text("limits.appendBytes")), above engine.queueBytes, "
                    + text("engine.queueBytes"))
        }
        if bytes("engine.messageBytes") >= bytes("limits.requestBytes") {
            problems.append(
                "engine.messageBytes is \(text("engine.messageBytes")), which does not fit into "
                    + "limits.requestBytes, \(text("limits.requestBytes"))")
        }
        guard problems.isEmpty else { throw Failure.configuration(problems) }
        _ = try serverConfiguration()
    }

    /// The least that is logged.
    var logLevel: Logger.Level { Logger.Level(rawValue: text("log.level")) ?? .info }

    private func duration(_ key: String) -> Duration? {
        integer(key) == 0 ? nil : .seconds(integer(key))
    }

    private func tls() throws -> StoreServerConfiguration.TLS? {
        switch (optional("tls.certificate"), optional("tls.key")) {
        case (let certificate?, let key?):
            return .init(
                certificatePath: certificate, keyPath: key,
                clientAuthorityPath: optional("tls.clientAuthority"))
        case (nil, nil):
            guard optional("tls.clientAuthority") == nil else {
                throw Failure.configuration([
                    "tls.clientAuthority needs tls.certificate and tls.key"
                ])
            }
            return nil
        default:
            throw Failure.configuration(["tls.certificate and tls.key come together"])
        }
    }
}
