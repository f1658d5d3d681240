import Foundation
import NIOCore
import NIOHTTP1
import NIOHTTP2
import NIOPosix
import NIOSSL
import Synchronization

/// A server on a free port of this machine that speaks HTTP/2 over TLS, as the services for
/// notifications do, and can misbehave.
final class LocalService: Sendable {
    struct Request: Sendable {
        var path: String
        var headers: HTTPHeaders
        var body: Data
        var isHTTP2: Bool

        func header(_ name: String) -> String { headers.first(name: name) ?? "" }
    }

    enum Reply: Sendable {
        case answer(Int, body: String = "", headers: [(String, String)] = [])
        /// Never answers.
        case hang
        /// Ends the connection instead, as a server does that goes away.
        case goAway
    }

    typealias Handler = @Sendable (Request) -> Reply

    private let state: Mutex<[Request]> = Mutex([])
    private let channel: any Channel
    let port: Int
    private let waiters = Mutex<[(count: Int, continuation: CheckedContinuation<Void, Never>)]>([])

    var url: String { "https://localhost:\(port)" }
    var requests: [Request] { state.withLock { $0 } }

    private init(_ channel: any Channel) {
        self.channel = channel
        port = channel.localAddress?.port ?? 0
    }

    /// - Parameter handler: answers requests, several at a time.
    static func start(_ handler: @escaping Handler) async throws -> LocalService {
        let certificate = try NIOSSLCertificate(
            bytes: Array(TestKeys.certificate.utf8), format: .pem)
        let key = try NIOSSLPrivateKey(bytes: Array(TestKeys.key.utf8), format: .pem)
        var tls = TLSConfiguration.makeServerConfiguration(
            certificateChain: [.certificate(certificate)], privateKey: .privateKey(key))
        tls.applicationProtocols = ["h2"]
        let context = try NIOSSLContext(configuration: tls)
        let note = Note()
        let channel = try await ServerBootstrap(group: .singletonMultiThreadedEventLoopGroup)
            .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
            .childChannelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    let sync = channel.pipeline.syncOperations
                    try sync.addHandler(NIOSSLServerHandler(context: context))
                    _ = try sync.configureHTTP2Pipeline(
                        mode: .server, connectionConfiguration: .init(),
                        streamConfiguration: .init()
                    ) { stream in
                        stream.eventLoop.makeCompletedFuture {
                            let sync = stream.pipeline.syncOperations
                            try sync.addHandler(HTTP2FramePayloadToHTTP1ServerCodec())
                            try sync.addHandler(
                                RequestHandler(connection: channel, note: note, handler: handler))
                        }
                    }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        let service = LocalService(channel)
        note.service.withLock { $0 = service }
        return service
    }

    func stop() async { try? await channel.close() }

    /// Waits until so many requests have come, since the start.
    func requests(_ count: Int) async -> [Request] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { requests in
                if requests.count < count {
                    waiters.withLock { $0.append((count, continuation)) }
                }
                return requests.count >= count
            }
            if isReady { continuation.resume() }
        }
        return requests
    }

    fileprivate func add(_ request: Request) {
        let ready = state.withLock { requests in
            requests.append(request)
            let count = requests.count
            return waiters.withLock { waiters in
                let ready = waiters.filter { $0.count <= count }
                waiters.removeAll { $0.count <= count }
                return ready
            }
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Where requests are noted, once the server is there.
    fileprivate final class Note: Sendable {
        let service = Mutex<LocalService?>(nil)
    }
}

/// Gathers a request, and answers it. Everything happens on its stream's event loop.
private final class RequestHandler: ChannelInboundHandler {
    typealias InboundIn = HTTPServerRequestPart
    typealias OutboundOut = HTTPServerResponsePart

    private let connection: any Channel
    private let note: LocalService.Note
    private let handler: LocalService.Handler
    private var head: HTTPRequestHead?
    private var body = Data()

    init(connection: any Channel, note: LocalService.Note, handler: @escaping LocalService.Handler)
    {
        self.connection = connection
        self.note = note
        self.handler = handler
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        switch unwrapInboundIn(data) {
        case .head(let head): self.head = head
        case .body(let bytes): body.append(contentsOf: bytes.readableBytesView)
        case .end:
            guard let head else { return }
            let request = LocalService.Request(
                path: head.uri, headers: head.headers, body: body,
                isHTTP2: head.version.major == 2)
            let reply = handler(request)
            answer(reply, context)
            note.service.withLock { $0 }?.add(request)
        }
    }

    private func answer(_ reply: LocalService.Reply, _ context: ChannelHandlerContext) {
        switch reply {
        case .hang: return
        case .goAway: connection.close(promise: nil)
        case .answer(let status, let text, let headers):
            var head = HTTPResponseHead(
                version: .http2, status: HTTPResponseStatus(statusCode: status))
            for (name, value) in headers { head.headers.add(name: name, value: value) }
            context.write(wrapOutboundOut(.head(head)), promise: nil)
            context.write(
                wrapOutboundOut(.body(.byteBuffer(ByteBuffer(string: text)))), promise: nil)
            context.writeAndFlush(wrapOutboundOut(.end(nil)), promise: nil)
        }
    }
}
