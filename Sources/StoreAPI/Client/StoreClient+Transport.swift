internal import GRPCCore
internal import GRPCNIOTransportHTTP2

extension StoreClient {
    static func transport(
        _ configuration: StoreClientConfiguration
    ) throws -> HTTP2ClientTransport.Posix {
        try .http2NIOPosix(
            target: target(configuration.target), transportSecurity: security(configuration.tls),
            config: .defaults { config in
                // A stream's frames gather by themselves: nothing is gained by waiting for more.
                config.connection.flushCoalescing = nil
                config.connection.keepalive = .init(
                    time: configuration.keepaliveInterval,
                    timeout: configuration.keepaliveTimeout, allowWithoutCalls: false)
                config.backoff = .init(
                    initial: configuration.backoffInitial, max: configuration.backoffMaximum,
                    multiplier: 2, jitter: 1)
                config.http2.authority = configuration.tls?.serverName
                config.channelDebuggingCallbacks.onCreateTCPConnection = ReadCompletion.add
            }, serviceConfig: serviceConfig(configuration.target))
    }

    /// Servers that are as good as one another share the calls; a stream stays with its server, and
    /// finds another one when that goes away.
    private static func serviceConfig(
        _ target: StoreClientConfiguration.Target
    ) -> ServiceConfig {
        guard case .anyOf = target else { return ServiceConfig() }
        return ServiceConfig(loadBalancingConfig: [.roundRobin])
    }

    private static func target(
        _ target: StoreClientConfiguration.Target
    ) throws -> any ResolvableTarget {
        switch target {
        // An address is no name: asked for as one, it would be what a certificate must say, and
        // no certificate may name an address so.
        case .tcp(let host, let port) where isIPv4(host): .ipv4(address: host, port: port)
        case .tcp(let host, let port) where host.contains(":"): .ipv6(address: host, port: port)
        case .tcp(let host, let port): .dns(host: host, port: port)
        case .anyOf(let addresses): .ipv4(pairs: addresses.map { ($0.host, $0.port) })
        case .unixSocket(let path): .unixDomainSocket(path: path, authority: "localhost")
        }
    }

    private static func isIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }

    private static func security(
        _ tls: StoreClientConfiguration.TLS?
    ) -> HTTP2ClientTransport.Posix.TransportSecurity {
        guard let tls else { return .plaintext }
        return .tls(
            .defaults { config in
                if let path = tls.trustedCertificatesPath {
                    config.trustRoots = .certificates([.file(path: path, format: .pem)])
                }
                if let path = tls.certificateChainPath {
                    config.certificateChain = [.file(path: path, format: .pem)]
                }
                if let path = tls.privateKeyPath {
                    config.privateKey = .file(path: path, format: .pem)
                }
            })
    }
}
