package import NIOCore

/// Tells a connection's pipeline, when the connection has ended, that what was read was read.
///
/// NIO says so after every read but the one in which the connection breaks, and swift-nio-http2
/// keeps the streams that frames came for in a list until then (1.46.0, `didReadChannels`). The
/// streams hold the list: without this the connection and they would never be let go of.
package final class ReadCompletion: ChannelInboundHandler {
    package typealias InboundIn = ByteBuffer
    package typealias InboundOut = ByteBuffer

    /// The first handler of a connection's pipeline, of either end.
    package init() {}

    /// Puts one into the pipeline of a client's new connection.
    @Sendable
    package static func add(to channel: any Channel) -> EventLoopFuture<Void> {
        channel.eventLoop.makeCompletedFuture {
            try channel.pipeline.syncOperations.addHandler(ReadCompletion(), position: .first)
        }
    }

    package func channelInactive(context: ChannelHandlerContext) {
        context.fireChannelInactive()
        context.fireChannelReadComplete()
    }
}
