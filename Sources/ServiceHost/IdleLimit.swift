internal import NIOCore

/// Ends a connection, in good order, on which no call was under way for so long.
///
/// The transport has such a limit, too. With it, every connection that has ended leaves its handler
/// behind, which holds itself through that limit's timer (grpc-swift-nio-transport 2.9.2,
/// `ServerConnectionManagementHandler.channelInactive`): found by the leak sanitizer.
final class IdleLimit: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias InboundOut = ByteBuffer

    private let maximum: TimeAmount
    private var streamCount = 0
    private var idleSince = NIODeadline.now()
    private var isTold = false
    private var check: Scheduled<Void>?

    /// - Parameter maximum: how long a connection may be without a call.
    init(maximum: TimeAmount) { self.maximum = maximum }

    func handlerAdded(context: ChannelHandlerContext) {
        idleSince = .now()
        schedule(context)
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        check?.cancel()
        check = nil
    }

    /// A call begins, on a stream of its own. On the connection's event loop.
    static func streamBegan(_ stream: any Channel) {
        let pipeline = stream.parent?.pipeline.syncOperations
        guard let limit = try? pipeline?.handler(type: IdleLimit.self) else { return }
        limit.streamCount += 1
        stream.closeFuture.assumeIsolated().whenComplete { _ in
            limit.streamCount -= 1
            limit.idleSince = .now()
        }
    }

    /// One look for each stretch of time, not for each call.
    private func schedule(_ context: ChannelHandlerContext) {
        let beginning = streamCount == 0 ? idleSince : .now()
        check = context.eventLoop.assumeIsolated().scheduleTask(deadline: beginning + maximum) {
            self.look(context)
        }
    }

    private func look(_ context: ChannelHandlerContext) {
        if streamCount == 0, .now() - idleSince >= maximum {
            // Who does not part in good order is cut off at the next look.
            guard !isTold else { return context.close(promise: nil) }
            isTold = true
            idleSince = .now()
            context.channel.pipeline.fireUserInboundEventTriggered(ChannelShouldQuiesceEvent())
        }
        schedule(context)
    }
}
