internal import GRPCCore
internal import GRPCNIOTransportHTTP2
internal import NIOCore
internal import StoreAPI

extension HostConfiguration {
    /// One transport for each address that is configured. Nothing is bound yet.
    func makeTransports(_ connections: ConnectionLimit) -> [HTTP2ServerTransport.Posix] {
        var transports: [HTTP2ServerTransport.Posix] = []
        let config = transportConfig(connections)
        if let endpoint {
            let address: GRPCNIOTransportCore.SocketAddress =
                endpoint.host.contains(":")
                ? .ipv6(host: endpoint.host, port: endpoint.port)
                : .ipv4(host: endpoint.host, port: endpoint.port)
            transports.append(
                HTTP2ServerTransport.Posix(
                    address: address, transportSecurity: security, config: config))
        }
        if let socketPath {
            transports.append(
                HTTP2ServerTransport.Posix(
                    address: .unixDomainSocket(path: socketPath), transportSecurity: .plaintext,
                    config: config))
        }
        return transports
    }

    private var security: HTTP2ServerTransport.Posix.TransportSecurity {
        guard let tls else { return .plaintext }
        return .tls(
            certificateChain: [.file(path: tls.certificatePath, format: .pem)],
            privateKey: .file(path: tls.keyPath, format: .pem)
        ) { config in
            config.requireALPN = true
            // The transport's own default asks no client for a certificate: said here, either way.
            config.clientCertificateVerification = .noVerification
            if let authority = tls.clientAuthorityPath {
                config.clientCertificateVerification = .noHostnameVerification
                config.trustRoots = .certificates([.file(path: authority, format: .pem)])
            }
        }
    }

    /// Every limit, said: the transport's defaults know none for streams, idle time or age.
    private func transportConfig(
        _ connections: ConnectionLimit
    ) -> HTTP2ServerTransport.Posix.Config {
        .defaults { config in
            config.http2.maxConcurrentStreams = streamsPerConnectionMaximum
            config.http2.targetWindowSize = 1 << 20
            config.http2.maxFrameSize = 64 << 10
            // A request above our own limit still gets an answer that says so, up to twice of it.
            config.rpc.maxRequestPayloadSize = 2 * requestBytesMaximum
            // Ours: see IdleLimit.
            config.connection.maxIdleTime = nil
            config.connection.maxAge = connectionAgeMaximum
            config.connection.maxGraceTime = connectionGraceMaximum
            config.connection.keepalive.time = keepaliveInterval
            config.connection.keepalive.timeout = keepaliveTimeout
            config.connection.keepalive.clientBehavior.allowWithoutCalls = true
            config.connection.keepalive.clientBehavior.minPingIntervalWithoutCalls =
                pingIntervalMinimum
            let silenceMaximum = keepaliveInterval + keepaliveTimeout
            let (age, grace) = (connectionAgeMaximum, connectionGraceMaximum)
            let idle = connectionIdleMaximum
            config.channelDebuggingCallbacks.onAcceptTCPConnection = { channel in
                connections.admit(channel).flatMapThrowing {
                    let pipeline = channel.pipeline.syncOperations
                    try pipeline.addHandler(ReadCompletion(), position: .first)
                    try pipeline.addHandler(
                        SilenceLimit(maximum: TimeAmount(silenceMaximum)), position: .first)
                    if let idle {
                        try pipeline.addHandler(
                            IdleLimit(maximum: TimeAmount(idle)), position: .first)
                    }
                    guard let age, let grace else { return }
                    try pipeline.addHandler(AgeLimit(age: age, grace: grace), position: .first)
                }
            }
            if idle != nil {
                config.channelDebuggingCallbacks.onAcceptHTTP2Stream = { stream in
                    stream.eventLoop.makeCompletedFuture { IdleLimit.streamBegan(stream) }
                }
            }
        }
    }
}
