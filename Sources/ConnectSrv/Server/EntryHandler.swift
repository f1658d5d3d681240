internal import NIOCore
internal import NIOWebSocket

/// A connection before the WebSocket's handshake: it has only so long for it, and ends with the
/// server. Taken out of the pipeline by the handshake.
final class EntryHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let maximum: Duration
    private var timer: Scheduled<Void>?

    init(maximum: Duration) { self.maximum = maximum }

    func handlerAdded(context: ChannelHandlerContext) {
        timer = context.eventLoop.assumeIsolated().scheduleTask(
            in: .milliseconds(maximum.wholeMilliseconds)
        ) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        timer?.cancel()
        timer = nil
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is DrainEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        context.close(promise: nil)
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        // A handshake of TLS that fails, a connection that was reset: nobody to answer to.
        context.close(promise: nil)
    }
}

/// The last in the pipeline of a connection that is no WebSocket: errors end it, but for a refused
/// upgrade, which is answered in HTTP's words.
final class ClosingHandler: ChannelInboundHandler, RemovableChannelHandler {
    typealias InboundIn = Any

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        if error is NIOWebSocketUpgradeError { return }
        context.close(promise: nil)
    }
}
