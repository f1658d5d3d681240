import ConnectSrv
import StoreAPI

extension SettingValues {
    /// How devices are served.
    func connectConfiguration() -> ConnectServerConfiguration {
        var configuration = ConnectServerConfiguration()
        configuration.endpoint = .init(
            host: text("connect.host"), port: integer("connect.port"))
        if let certificate = optional("connect.certificate"), let key = optional("connect.key") {
            configuration.tls = .init(certificatePath: certificate, keyPath: key)
        }
        if let name = optional("connect.instance") { configuration.instance = name }
        configuration.servesPage = flag("connect.page")
        configuration.limits = connectLimits()
        return configuration
    }

    private func connectLimits() -> ConnectLimits {
        var limits = ConnectLimits()
        limits.connectionsMaximum = integer("devices.connections")
        limits.connectionsPerAccountMaximum = integer("devices.connectionsPerAccount")
        limits.connectionsPerAddressMaximum = integer("devices.connectionsPerAddress")
        limits.handshakeMaximum = .seconds(integer("devices.handshakeSeconds"))
        limits.heartbeat = .seconds(integer("devices.heartbeatSeconds"))
        limits.frameBytesMaximum = bytes("devices.frameBytes")
        limits.requestsInFlightMaximum = integer("devices.requestsInFlight")
        limits.connectionTraffic = traffic(factor: 1)
        limits.accountTraffic = traffic(factor: 2)
        limits.addressTraffic = traffic(factor: 8)
        limits.pushBodyBytesMaximum = bytes("devices.pushBodyBytes")
        limits.outgoingBytesMaximum = bytes("devices.outgoingBytes")
        limits.drainMaximum = .seconds(integer("devices.drainSeconds"))
        return limits
    }

    private func traffic(factor: Double) -> ConnectLimits.Traffic {
        let requests = Double(integer("devices.requestsPerSecond")) * factor
        let bytes = Double(bytes("devices.bytesPerSecond")) * factor
        return .init(
            requests: .init(perSecond: requests, burst: 2 * requests),
            bytes: .init(perSecond: bytes, burst: 4 * bytes))
    }

    /// Who says who a device is; with a demonstration, also what mints tokens.
    ///
    /// - Throws: `Failure` when there is no key, or one cannot be used.
    func tokens() async throws -> (verifier: TokenVerifier, demo: DemoTokens?) {
        do {
            var keys: [TokenKey] = []
            if let path = optional("tokens.key") {
                let algorithm = TokenKey.Algorithm(rawValue: text("tokens.algorithm")) ?? .edDSA
                keys.append(
                    try TokenKey(id: text("tokens.keyId"), algorithm: algorithm, path: path))
            }
            if let path = optional("tokens.jwks") { keys += try TokenKey.keys(jwksPath: path) }
            let demo = flag("tokens.demo") ? try await DemoTokens() : nil
            if let demo { keys.append(demo.key) }
            var requirements = TokenVerifier.Requirements()
            requirements.issuer = optional("tokens.issuer")
            requirements.audience = optional("tokens.audience")
            requirements.leewayMilliseconds = Int64(integer("tokens.leewaySeconds")) * 1_000
            return (try await TokenVerifier(keys: keys, requirements: requirements), demo)
        } catch {
            throw Failure.configuration(["tokens: \(error)"])
        }
    }

    /// What does not fit together in the keys of ConnectSrv.
    ///
    /// - Throws: `Failure` with everything that is wrong.
    func checkConnect() throws {
        var problems: [String] = []
        if (optional("connect.certificate") == nil) != (optional("connect.key") == nil) {
            problems.append("connect.certificate and connect.key come together")
        }
        if optional("tokens.key") == nil, optional("tokens.jwks") == nil, !flag("tokens.demo") {
            problems.append(
                "nobody could connect: set tokens.key or tokens.jwks, or, for a first look on this "
                    + "machine, tokens.demo")
        }
        if flag("tokens.demo"), !connectConfiguration().endpoint.isLoopback {
            problems.append("tokens.demo is for loopback only; connect.host is another address")
        }
        guard problems.isEmpty else { throw Failure.configuration(problems) }
    }
}
