public import Mailbox
internal import Synchronization

extension MailboxStore {
    /// Says when heads of these receivers move: first those with waiting messages, then `caughtUp`,
    /// then live.
    ///
    /// A slow watcher sees fewer events, never a missing one: heads of one mailbox are coalesced,
    /// and a watcher with too large a backlog is made to list its receivers anew, and then hears
    /// `caughtUp` again. Ends when its task is cancelled; throws `closed` when the store closes.
    ///
    /// - Parameter receivers: 1 … 10 000.
    /// - Throws: `invalidArgument`, `overloaded` when there are too many watchers, `closed`.
    public func watch(
        _ receivers: [Address]
    ) throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        try headWatch(receivers)
    }

    /// The same, for those who want what is ready in one piece.
    package func headWatch(_ receivers: [Address]) throws(StoreError) -> HeadWatch {
        try whileOpen { () throws(StoreError) in
            guard (1...10_000).contains(receivers.count) else {
                throw .invalidArgument("a watch takes 1 to 10000 receivers, not \(receivers.count)")
            }
            guard watcherCount.load(ordering: .relaxed) < configuration.watchersMaximum else {
                throw StoreError(
                    code: .overloaded,
                    message:
                        "\(configuration.watchersMaximum) watchers are here already; try again "
                        + "later"
                )
            }
            return HeadWatch(WatchSession(store: self, receivers: Array(Set(receivers)).sorted()))
        }
    }
}

/// A watch as a sequence: one consumer.
package struct HeadWatch: AsyncSequence, Sendable {
    let session: WatchSession

    init(_ session: WatchSession) { self.session = session }

    package func makeAsyncIterator() -> Iterator { Iterator(session: session) }

    package struct Iterator: AsyncIteratorProtocol {
        let session: WatchSession
        private var ready: [WatchEvent] = []
        private var phase = Phase.list(receiver: 0, after: nil)

        /// Where the watch stands: listing a receiver, or hearing live.
        private enum Phase {
            case list(receiver: Int, after: Address?)
            case live
        }

        init(session: WatchSession) { self.session = session }

        package mutating func next() async throws(StoreError) -> WatchEvent? {
            try await next(isolation: nil)
        }

        package mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> WatchEvent? {
            while true {
                if Task.isCancelled { return nil }
                if let event = ready.popLast() { return event }
                guard try await gather(isolation: actor) else { return nil }
            }
        }

        /// Everything that is ready, in its order, at least one event; nil when the task was
        /// cancelled.
        package mutating func nextReady() async throws(StoreError) -> [WatchEvent]? {
            while ready.isEmpty {
                if Task.isCancelled { return nil }
                guard try await gather(isolation: nil) else { return nil }
            }
            defer { ready = [] }
            return ready.reversed()
        }

        /// Waits for events, or lists one page; there may be nothing to say after it.
        ///
        /// - Returns: false when the task was cancelled.
        private mutating func gather(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> Bool {
            switch phase {
            case .list(let receiver, let after): try list(receiver, after)
            case .live:
                switch await session.watcher.next() {
                case .heads(let heads):
                    ready = heads.reversed().map { .head($0.0, $0.1) }
                case .listAnew: phase = .list(receiver: 0, after: nil)
                case .closed: throw .closed()
                case .cancelled: return false
                }
            }
            return true
        }

        /// Lists one page of a receiver's inbox. Live events gather meanwhile: nothing falls
        /// between.
        private mutating func list(_ receiver: Int, _ after: Address?) throws(StoreError) {
            guard receiver < session.receivers.count else {
                phase = .live
                ready = [.caughtUp]
                return
            }
            let address = session.receivers[receiver]
            let page = try session.store.inbox(address, after: after, limit: 256)
            ready = page.entries.reversed().filter { $0.head.waitingCount > 0 }.map {
                .head(MailboxID(sender: $0.sender, receiver: address), $0.head)
            }
            phase =
                page.next == nil
                ? .list(receiver: receiver + 1, after: nil)
                : .list(receiver: receiver, after: page.next)
        }
    }
}

/// A watch's registration: gone when the last one who holds it lets go.
final class WatchSession: Sendable {
    let store: MailboxStore
    let receivers: [Address]
    let watcher: Watcher
    private let byShard: [Int: [Address]]

    init(store: MailboxStore, receivers: [Address]) {
        self.store = store
        self.receivers = receivers
        watcher = Watcher(backlogMaximum: store.configuration.watchBacklogMaximum)
        byShard = Dictionary(grouping: receivers) { store.shardNumber(of: $0) }
        store.watcherCount.add(1, ordering: .relaxed)
        for (shard, receivers) in byShard {
            if !store.shards[shard].watchers.add(watcher, for: receivers) { watcher.close() }
        }
    }

    deinit {
        for (shard, receivers) in byShard {
            store.shards[shard].watchers.remove(watcher, from: receivers)
        }
        store.watcherCount.subtract(1, ordering: .relaxed)
    }
}
