internal import NIOCore

/// Closes a connection from which nothing was heard for so long that the transport must have asked
/// for a sign of life, and waited for it in vain.
///
/// The transport asks, and then only begins to part in good order: it sends GOAWAY, and waits for
/// the answer to one more question. Who has fallen silent never gives it, and would keep the
/// connection, its calls and its watches until the kernel gives up, or for ever.
final class SilenceLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let maximum: TimeAmount
    private var heard = NIODeadline.now()
    private var check: Scheduled<Void>?

    /// - Parameter maximum: a connection that is silent for longer is closed.
    init(maximum: TimeAmount) { self.maximum = maximum }

    func handlerAdded(context: ChannelHandlerContext) {
        heard = .now()
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        heard = .now()
        context.fireChannelRead(data)
    }

    /// One look for each stretch of silence, not for each read.
    private func schedule(_ context: ChannelHandlerContext) {
        check = context.eventLoop.assumeIsolated().scheduleTask(deadline: heard + maximum) {
            if .now() - self.heard >= self.maximum {
                context.close(promise: nil)
            } else {
                self.schedule(context)
            }
        }
    }
}
