internal import NIOCore
internal import Synchronization

/// Counts connections, and turns away those above the limit.
final class ConnectionLimit: Sendable {
    private let count = Atomic<Int>(0)
    private let maximum: Int

    init(maximum: Int) { self.maximum = maximum }

    /// Connections now.
    var current: Int { count.load(ordering: .relaxed) }

    /// Why a connection was closed as soon as it came.
    struct TooMany: Error, CustomStringConvertible {
        let maximum: Int
        var description: String { "\(maximum) connections are here already" }
    }

    /// Takes a connection in, or fails, by which the transport closes it.
    func admit(_ channel: any Channel) -> EventLoopFuture<Void> {
        guard count.wrappingAdd(1, ordering: .relaxed).newValue <= maximum else {
            count.wrappingSubtract(1, ordering: .relaxed)
            return channel.eventLoop.makeFailedFuture(TooMany(maximum: maximum))
        }
        channel.closeFuture.whenComplete { [self] _ in
            count.wrappingSubtract(1, ordering: .relaxed)
        }
        return channel.eventLoop.makeSucceededVoidFuture()
    }
}
