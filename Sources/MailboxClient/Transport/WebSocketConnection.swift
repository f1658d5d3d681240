import NIOCore
import NIOWebSocket
import Synchronization

/// One WebSocket: what a client writes to, and what tells it what happens.
final class WebSocketConnection: ClientConnection {
    private struct Shared {
        var channel: (any Channel)?
        var isClosing = false
        var isEnded = false
    }

    private let report: @Sendable (TransportEvent) -> Void
    private let shared = Mutex(Shared())

    init(_ report: @escaping @Sendable (TransportEvent) -> Void) { self.report = report }

    func send(_ messages: [[UInt8]]) {
        guard let channel = shared.withLock({ $0.channel }) else { return }
        channel.eventLoop.execute {
            for message in messages {
                let frame = WebSocketFrame(
                    fin: true, opcode: .binary, maskKey: .random(),
                    data: channel.allocator.buffer(bytes: message))
                channel.write(frame, promise: nil)
            }
            channel.flush()
        }
    }

    func close() {
        let channel = shared.withLock { shared in
            shared.isClosing = true
            return shared.channel
        }
        guard let channel else { return }
        channel.eventLoop.execute {
            var code = channel.allocator.buffer(capacity: 2)
            code.write(webSocketErrorCode: .normalClosure)
            let frame = WebSocketFrame(
                fin: true, opcode: .connectionClose, maskKey: .random(), data: code)
            channel.writeAndFlush(frame).whenComplete { _ in channel.close(promise: nil) }
        }
    }

    /// The channel carries messages from here on.
    func opened(_ channel: any Channel) {
        let isClosing = shared.withLock { shared in
            shared.channel = channel
            return shared.isClosing
        }
        if isClosing { channel.close(promise: nil) } else { report(.opened) }
    }

    func received(_ messages: [[UInt8]]) { report(.messages(messages)) }

    /// The connection is no more; heard once.
    func ended(_ reason: String) {
        let isFirst = shared.withLock { shared in
            shared.channel = nil
            defer { shared.isEnded = true }
            return !shared.isEnded
        }
        if isFirst { report(.closed(reason)) }
    }
}

/// The last handler of a WebSocket's channel: whole messages in, whole messages out.
final class WebSocketHandler: ChannelInboundHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let connection: WebSocketConnection
    private var messages: [[UInt8]] = []
    private var reason = "the connection was cut"

    init(_ connection: WebSocketConnection) { self.connection = connection }

    func handlerAdded(context: ChannelHandlerContext) {
        if context.channel.isActive { connection.opened(context.channel) }
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        switch frame.opcode {
        case .binary: messages.append(Array(buffer: frame.unmaskedData))
        case .ping:
            let pong = WebSocketFrame(
                fin: true, opcode: .pong, maskKey: .random(), data: frame.unmaskedData)
            context.writeAndFlush(wrapOutboundOut(pong), promise: nil)
        case .connectionClose:
            var data = frame.unmaskedData
            let code = data.readWebSocketErrorCode().map { UInt16(webSocketErrorCode: $0) }
            reason = "the server closed the connection" + (code.map { " with \($0)" } ?? "")
            leave()
            context.close(promise: nil)
        default: break
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        leave()
        context.fireChannelReadComplete()
    }

    func channelInactive(context: ChannelHandlerContext) {
        leave()
        connection.ended(reason)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reason = "the connection failed: \(error)"
        context.close(promise: nil)
    }

    private func leave() {
        guard !messages.isEmpty else { return }
        connection.received(messages)
        messages = []
    }
}
