import Logging
import PushSrv
import SendSrv
import StoreAPI

extension SettingValues {
    // MARK: Peers

    /// Clients of another role: one for each address.
    func peers(_ key: String, _ logger: Logger) -> [StoreClientConfiguration] {
        (PeerAddresses.parse(text(key)) ?? []).map { peer($0, logger) }
    }

    /// A client of any of several servers that are as good as one another.
    ///
    /// - Throws: `Failure` when there is no address, or several are not IPv4 addresses.
    func anyPeer(_ key: String, _ logger: Logger) throws -> StoreClientConfiguration {
        let targets = PeerAddresses.parse(text(key)) ?? []
        guard !targets.isEmpty else {
            throw Failure.configuration(["\(key) is not set; name at least one address"])
        }
        guard let target = PeerAddresses.anyOf(targets) else {
            throw Failure.configuration([
                "\(key) has several addresses, which must all be IPv4 addresses and ports"
            ])
        }
        return peer(target, logger)
    }

    private func peer(
        _ target: StoreClientConfiguration.Target, _ logger: Logger
    ) -> StoreClientConfiguration {
        var configuration = StoreClientConfiguration(target)
        configuration.logger = logger
        if flag("peers.tls") {
            var tls = StoreClientConfiguration.TLS()
            tls.trustedCertificatesPath = optional("peers.trustedCertificates")
            tls.certificateChainPath = optional("peers.certificate")
            tls.privateKeyPath = optional("peers.key")
            configuration.tls = tls
        }
        return configuration
    }

    /// What does not fit together in a role that is not the store.
    ///
    /// - Throws: `Failure` with everything that is wrong.
    func checkRole(_ role: String) throws {
        var problems: [String] = []
        if !hasPlace {
            problems.append("no address is left: set listen.tcp, or listen.socket")
        }
        guard problems.isEmpty else { throw Failure.configuration(problems) }
        try checkPeers()
        _ = try hostConfiguration()
        if role == "push" { try checkPush() }
    }

    /// What does not fit together in the keys that say how other roles are spoken to.
    ///
    /// - Throws: `Failure` with everything that is wrong.
    func checkPeers() throws {
        var problems: [String] = []
        if !flag("peers.tls"),
            ["peers.trustedCertificates", "peers.certificate", "peers.key"]
                .contains(where: { optional($0) != nil })
        {
            problems.append("peers.* has certificates, but peers.tls is false")
        }
        if (optional("peers.certificate") == nil) != (optional("peers.key") == nil) {
            problems.append("peers.certificate and peers.key come together")
        }
        guard problems.isEmpty else { throw Failure.configuration(problems) }
    }

    // MARK: SendSrv

    /// What SendSrv may hold.
    func sendConfiguration() -> SendConfiguration {
        var configuration = SendConfiguration()
        configuration.lanes = integer("send.lanes")
        configuration.waitingBytesMaximum = bytes("send.waitingBytes")
        configuration.pushBodyBytesMaximum = bytes("send.pushBodyBytes")
        return configuration
    }

    // MARK: PushSrv

    /// What PushSrv may hold, and what its notifications say.
    ///
    /// - Parameter registryPath: where the registry is when no key names its place.
    func pushConfiguration(registryPath: String? = nil) -> PushConfiguration {
        var configuration = PushConfiguration(
            registryPath: optional("push.registry") ?? registryPath ?? "")
        configuration.devicesPerAccountMaximum = integer("push.devicesPerAccount")
        configuration.content = .init(rawValue: text("push.content")) ?? .none
        configuration.alert = text("push.alert")
        configuration.lifetime = .seconds(integer("push.lifetimeSeconds"))
        configuration.collapseDelay = .milliseconds(integer("push.collapseMilliseconds"))
        configuration.quietTime = .seconds(integer("push.quietSeconds"))
        configuration.silenceDelay = .seconds(integer("push.silenceSeconds"))
        configuration.recoveryDelay = .seconds(integer("push.recoverySeconds"))
        configuration.attemptsMaximum = integer("push.attempts")
        configuration.retryMaximum = .seconds(integer("push.retryMaximumSeconds"))
        configuration.pushesWaitingMaximum = integer("push.waiting")
        configuration.owedMaximum = integer("push.owed")
        configuration.sendsMaximum = integer("push.sends")
        return configuration
    }

    /// The services that bring notifications.
    func pushProviders() -> PushProviders {
        var providers = PushProviders()
        if let path = optional("apns.key") {
            var apns = APNsConfiguration(
                keyPath: path, keyID: text("apns.keyId"), teamID: text("apns.teamId"),
                topic: text("apns.topic"))
            apns.productionURL = text("apns.productionUrl")
            apns.sandboxURL = text("apns.sandboxUrl")
            providers.apns = apns
        }
        if let path = optional("fcm.serviceAccount") {
            var fcm = FCMConfiguration(serviceAccountPath: path)
            fcm.baseURL = text("fcm.url")
            providers.fcm = fcm
        }
        if let url = optional("webhook.url") {
            providers.webhook = WebhookConfiguration(url: url, secretPath: text("webhook.secret"))
        }
        providers.trustedCertificatesPath = optional("notify.trustedCertificates")
        providers.timeout = .seconds(integer("notify.timeoutSeconds"))
        return providers
    }

    /// What does not fit together in the keys of PushSrv.
    ///
    /// - Parameter needsRegistry: whether the registry's place must be named.
    /// - Throws: `Failure` with everything that is wrong.
    func checkPush(needsRegistry: Bool = true) throws {
        var problems: [String] = []
        if needsRegistry, optional("push.registry") == nil {
            problems.append("push.registry is not set; name a file")
        }
        if optional("apns.key") != nil {
            for key in ["apns.keyId", "apns.teamId", "apns.topic"] where optional(key) == nil {
                problems.append("apns.key needs \(key)")
            }
        }
        if (optional("webhook.url") == nil) != (optional("webhook.secret") == nil) {
            problems.append("webhook.url and webhook.secret come together")
        }
        guard problems.isEmpty else { throw Failure.configuration(problems) }
    }
}
