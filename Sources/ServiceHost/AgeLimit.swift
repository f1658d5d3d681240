internal import NIOCore

/// Closes a connection that the transport could not end in good order.
///
/// At a connection's age the transport says GOAWAY, asks whether that was heard, and ends the
/// connection when what is under way is done or the grace is over. Who never answers that question
/// would keep the connection for as long as he likes.
final class AgeLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let maximum: TimeAmount
    private var end: Scheduled<Void>?

    /// - Parameters:
    ///   - age: when the transport begins to part, give or take a tenth.
    ///   - grace: how long what is under way may go on then.
    init(age: Duration, grace: Duration) {
        maximum = TimeAmount(age + age / 10 + grace + .seconds(1))
    }

    func handlerAdded(context: ChannelHandlerContext) {
        end = context.eventLoop.assumeIsolated().scheduleTask(in: maximum) {
            context.close(promise: nil)
        }
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        end?.cancel()
        end = nil
    }
}
