internal import NIOCore
internal import Synchronization

/// All connections of a server, to end them with it.
final class ChannelTable: Sendable {
    private struct State {
        var channels: [ObjectIdentifier: any Channel] = [:]
        var isDraining = false
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let maximum: Int

    /// - Parameter maximum: connections at once.
    init(maximum: Int) { self.maximum = maximum }

    /// Connections now.
    var count: Int { state.withLock { $0.channels.count } }

    /// Whether the server is about to end.
    var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Takes a connection in; `forgetWhenClosed` must follow.
    ///
    /// - Returns: false when there are too many, or the server is about to end.
    func admit(_ channel: any Channel) -> Bool {
        let key = ObjectIdentifier(channel)
        return state.withLock { state in
            guard !state.isDraining, state.channels.count < maximum else { return false }
            state.channels[key] = channel
            return true
        }
    }

    /// Lets go of a connection when it is closed, behind everything else that is done then: who
    /// waits for the last one finds all of it done.
    func forgetWhenClosed(_ channel: any Channel) {
        let key = ObjectIdentifier(channel)
        channel.closeFuture.whenComplete { [self] _ in remove(key) }
    }

    /// No more connections; those that are here are told so.
    func drain() {
        let channels = state.withLock { state in
            state.isDraining = true
            return Array(state.channels.values)
        }
        for channel in channels { channel.pipeline.fireUserInboundEventTriggered(DrainEvent()) }
    }

    /// Cuts all connections.
    func cut() {
        let channels = state.withLock { Array($0.channels.values) }
        for channel in channels { channel.close(promise: nil) }
    }

    /// Waits until no connection is left.
    func untilEmpty() async {
        await withCheckedContinuation { continuation in
            let isEmpty = state.withLock { state in
                if !state.channels.isEmpty { state.waiters.append(continuation) }
                return state.channels.isEmpty
            }
            if isEmpty { continuation.resume() }
        }
    }

    private func remove(_ key: ObjectIdentifier) {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>] in
            state.channels[key] = nil
            guard state.channels.isEmpty else { return [] }
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume() }
    }
}
