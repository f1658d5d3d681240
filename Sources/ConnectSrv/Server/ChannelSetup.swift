internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL
internal import NIOWebSocket
internal import Synchronization

/// Builds the pipeline of each connection: TLS where configured, HTTP/1.1, and after the upgrade
/// WebSocket frames and the connection's handler.
struct ChannelSetup: Sendable {
    let core: ConnectCore
    let channels: ChannelTable
    let tls: NIOSSLContext?

    /// Where devices connect.
    static let path = "/v1/connect"

    /// On the channel's event loop, when a TCP connection was accepted.
    func initialize(_ channel: any Channel) throws {
        guard channels.admit(channel) else {
            throw ChannelError.ioOnClosedChannel
        }
        defer { channels.forgetWhenClosed(channel) }
        let acceptedAt = ConnectCore.now()
        let metrics = core.metrics
        metrics.connectionBegan()
        channel.closeFuture.whenComplete { _ in metrics.connectionEnded() }
        let address = PeerAddress(channel.remoteAddress)
        let traffic = core.addresses.join(address, nowMilliseconds: acceptedAt)
        if traffic != nil {
            let addresses = core.addresses
            channel.closeFuture.whenComplete { _ in addresses.leave(address) }
        }
        let pipeline = channel.pipeline.syncOperations
        if let tls { try pipeline.addHandler(NIOSSLServerHandler(context: tls)) }
        let entry = EntryHandler(maximum: core.limits.handshakeMaximum)
        try pipeline.addHandler(entry)
        _ = try pipeline.configureUpgradableHTTPServerPipeline(
            configuration: .init(
                upgradeConfiguration: upgrade(traffic: traffic, acceptedAt: acceptedAt)))
        // Behind everything that fires errors while there is neither handler yet.
        try pipeline.addHandler(ClosingHandler())
    }

    private func upgrade(
        traffic: SharedTraffic?, acceptedAt: Int64
    ) -> NIOTypedHTTPServerUpgradeConfiguration<Void> {
        let refused = RefusedUpgrade()
        let upgrader = NIOTypedWebSocketServerUpgrader<Void>(
            maxFrameSize: core.limits.frameBytesMaximum, enableAutomaticErrorHandling: false,
            shouldUpgrade: { channel, head in
                channel.eventLoop.makeCompletedFuture { () -> HTTPHeaders? in
                    refused.head.withLock { $0 = head }
                    guard traffic != nil, !channels.isDraining, head.path == Self.path,
                        let format = head.wireFormat
                    else { return nil }
                    return ["Sec-WebSocket-Protocol": format.rawValue]
                }
            },
            upgradePipelineHandler: { channel, head in
                channel.eventLoop.makeCompletedFuture {
                    guard let traffic, let format = head.wireFormat else {
                        throw ChannelError.inappropriateOperationForState
                    }
                    try open(channel, format, traffic, acceptedAt)
                }
            })
        return NIOTypedHTTPServerUpgradeConfiguration(upgraders: [upgrader]) { channel in
            channel.eventLoop.makeCompletedFuture {
                try channel.pipeline.syncOperations.addHandler(
                    PageHandler(
                        core: core, refusal: refusal(traffic: traffic),
                        head: refused.head.withLock { $0 }))
            }
        }
    }

    /// After the handshake.
    private func open(
        _ channel: any Channel, _ format: WireFormat, _ traffic: SharedTraffic,
        _ acceptedAt: Int64
    ) throws {
        let pipeline = channel.pipeline.syncOperations
        let high = core.limits.outgoingPushBytesMaximum
        try channel.syncOptions?.setOption(
            .writeBufferWaterMark,
            value: ChannelOptions.Types.WriteBufferWaterMark(low: max(1, high / 2), high: high))
        try pipeline.addHandler(
            ConnectionHandler(
                core: core, format: format, addressTraffic: traffic, acceptedAt: acceptedAt))
        try pipeline.syncRemove(EntryHandler.self)
        try pipeline.syncRemove(ClosingHandler.self)
        // Drained between the handshake's beginning and its end.
        if channels.isDraining {
            channel.pipeline.fireUserInboundEventTriggered(DrainEvent())
        }
    }

    private func refusal(traffic: SharedTraffic?) -> HTTPResponseStatus? {
        if channels.isDraining { return .serviceUnavailable }
        return traffic == nil ? .tooManyRequests : nil
    }
}

/// The head of a request whose upgrade was refused: the upgrader keeps it to itself.
private final class RefusedUpgrade: Sendable {
    let head = Mutex<HTTPRequestHead?>(nil)
}

extension ChannelPipeline.SynchronousOperations {
    /// Takes a handler out that is there.
    fileprivate func syncRemove<Handler: RemovableChannelHandler>(_ type: Handler.Type) throws {
        removeHandler(context: try context(handlerType: type), promise: nil)
    }
}

extension HTTPRequestHead {
    /// The path without what follows a question mark.
    var path: Substring { uri.prefix { $0 != "?" } }

    /// The first subprotocol that this server knows.
    var wireFormat: WireFormat? {
        for name in headers[canonicalForm: "Sec-WebSocket-Protocol"] {
            if let format = WireFormat(rawValue: String(name)) { return format }
        }
        return nil
    }
}
