import NIOCore
import NIOHTTP1
import NIOPosix
public import NIOSSL
import NIOWebSocket

/// A WebSocket over TCP or TLS, with SwiftNIO: the same on every platform.
public struct WebSocketTransport: ClientTransport {
    static let subprotocol = "mailbox.v1.proto"
    /// The largest message that is taken, in bytes: the server's pages are smaller.
    static let messageBytesMaximum = 32 << 20

    private let server: ServerAddress
    private let tls: NIOSSLContext?

    /// - Parameters:
    ///   - server: where the server is.
    ///   - tls: for `wss`: which certificates are trusted; by default the system's.
    /// - Throws: `invalidArgument` when the TLS settings cannot be used.
    public init(
        to server: ServerAddress, tls: TLSConfiguration = .makeClientConfiguration()
    ) throws(ClientError) {
        self.server = server
        do {
            self.tls = server.isSecure ? try NIOSSLContext(configuration: tls) : nil
        } catch {
            throw ClientError(
                code: .invalidArgument, message: "these TLS settings cannot be used", cause: error)
        }
    }

    /// Begins to connect.
    public func connect(
        _ report: @escaping @Sendable (TransportEvent) -> Void
    ) -> any ClientConnection {
        let connection = WebSocketConnection(report)
        let bootstrap = ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .connectTimeout(.seconds(10))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
        let (server, tls) = (server, tls)
        Task {
            do {
                let upgraded = try await bootstrap.connect(host: server.host, port: server.port) {
                    channel in
                    channel.eventLoop.makeCompletedFuture {
                        try Self.configure(channel, server, tls, connection)
                    }
                }
                guard try await upgraded.get() else {
                    return connection.ended("the server does not speak this protocol here")
                }
            } catch {
                connection.ended("cannot connect: \(error)")
            }
        }
        return connection
    }

    private static func configure(
        _ channel: any Channel, _ server: ServerAddress, _ tls: NIOSSLContext?,
        _ connection: WebSocketConnection
    ) throws -> EventLoopFuture<Bool> {
        if let tls {
            let isName = (try? SocketAddress(ipAddress: server.host, port: 0)) == nil
            try channel.pipeline.syncOperations.addHandler(
                NIOSSLClientHandler(context: tls, serverHostname: isName ? server.host : nil))
        }
        var head = HTTPRequestHead(version: .http1_1, method: .GET, uri: server.path)
        let host = server.host.contains(":") ? "[\(server.host)]" : server.host
        head.headers.add(name: "Host", value: "\(host):\(server.port)")
        head.headers.add(name: "Sec-WebSocket-Protocol", value: subprotocol)
        head.headers.add(name: "Content-Length", value: "0")
        let upgrader = NIOTypedWebSocketClientUpgrader<Bool>(
            maxFrameSize: messageBytesMaximum,
            upgradePipelineHandler: { channel, response in
                channel.eventLoop.makeCompletedFuture {
                    let chosen = response.headers.first(name: "Sec-WebSocket-Protocol")
                    guard chosen == subprotocol else { return false }
                    try channel.pipeline.syncOperations.addHandlers(
                        NIOWebSocketFrameAggregator(
                            minNonFinalFragmentSize: 0, maxAccumulatedFrameCount: 4_096,
                            maxAccumulatedFrameSize: messageBytesMaximum),
                        WebSocketHandler(connection))
                    return true
                }
            })
        return try channel.pipeline.syncOperations.configureUpgradableHTTPClientPipeline(
            configuration: NIOUpgradableHTTPClientPipelineConfiguration(
                upgradeConfiguration: NIOTypedHTTPClientUpgradeConfiguration(
                    upgradeRequestHead: head, upgraders: [upgrader],
                    notUpgradingCompletionHandler: { channel in
                        channel.close(promise: nil)
                        return channel.eventLoop.makeSucceededFuture(false)
                    })))
    }
}
