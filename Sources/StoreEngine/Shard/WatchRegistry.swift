internal import Mailbox
internal import Synchronization

/// Who watches which receivers. Hears of every move of a head, after it is durable.
final class WatchRegistry: Sendable {
    private struct State {
        var byReceiver: [Address: [Watcher]] = [:]
        var isClosed = false
    }

    private let state = Mutex(State())
    private let count = Atomic<Int>(0)

    /// False when nobody watches: then publishing costs nothing.
    var isActive: Bool { count.load(ordering: .acquiring) > 0 }

    /// - Returns: false when the store is closed.
    func add(_ watcher: Watcher, for receivers: [Address]) -> Bool {
        state.withLock { state in
            if state.isClosed { return false }
            for receiver in receivers { state.byReceiver[receiver, default: []].append(watcher) }
            count.add(1, ordering: .acquiringAndReleasing)
            return true
        }
    }

    func remove(_ watcher: Watcher, from receivers: [Address]) {
        state.withLock { state in
            for receiver in receivers {
                state.byReceiver[receiver]?.removeAll { $0 === watcher }
                if state.byReceiver[receiver]?.isEmpty == true { state.byReceiver[receiver] = nil }
            }
            count.subtract(1, ordering: .acquiringAndReleasing)
        }
    }

    /// Tells the watchers of these mailboxes' receivers.
    func publish(_ heads: [(MailboxID, Head)]) {
        for (mailbox, head) in heads {
            let watchers = state.withLock { $0.byReceiver[mailbox.receiver] ?? [] }
            for watcher in watchers { watcher.offer(mailbox, head) }
        }
    }

    /// Ends all watches.
    func close() {
        let watchers = state.withLock { state in
            state.isClosed = true
            return state.byReceiver.values.flatMap { $0 }
        }
        for watcher in watchers { watcher.close() }
    }
}

/// One watch's backlog: the newest head of each mailbox that moved, bounded; at the bound it is
/// dropped, and the watcher lists its receivers anew. So a slow watcher sees fewer events, and
/// never misses one.
final class Watcher: Sendable {
    /// What the watcher has to do next.
    enum Wake {
        case heads([(MailboxID, Head)])
        /// Too many heads moved: list them.
        case listAnew
        case closed
        case cancelled
    }

    private struct State {
        var order: [MailboxID] = []
        var heads: [MailboxID: Head] = [:]
        var hasOverflowed = false
        var isClosed = false
        var isCancelled = false
        var sleeper: CheckedContinuation<Void, Never>?

        mutating func take() -> Wake? {
            if isCancelled { return .cancelled }
            if isClosed { return .closed }
            if hasOverflowed {
                hasOverflowed = false
                return .listAnew
            }
            guard !order.isEmpty else { return nil }
            defer {
                order = []
                heads = [:]
            }
            return .heads(order.map { ($0, heads[$0]!) })
        }
    }

    private let state = Mutex(State())
    private let backlogMaximum: Int

    init(backlogMaximum: Int) { self.backlogMaximum = backlogMaximum }

    private func change(_ body: (inout State) -> Void) {
        let sleeper = state.withLock { state in
            body(&state)
            defer { state.sleeper = nil }
            return state.sleeper
        }
        sleeper?.resume()
    }

    func offer(_ mailbox: MailboxID, _ head: Head) {
        change { state in
            if state.hasOverflowed { return }
            if let known = state.heads[mailbox] {
                // Two threads may publish out of order: the newest of each part counts.
                if head.max >= known.max && head.acknowledged >= known.acknowledged {
                    state.heads[mailbox] = head
                }
                return
            }
            if state.order.count == backlogMaximum {
                state.hasOverflowed = true
                state.order = []
                state.heads = [:]
                return
            }
            state.order.append(mailbox)
            state.heads[mailbox] = head
        }
    }

    func close() { change { $0.isClosed = true } }
    func cancel() { change { $0.isCancelled = true } }

    /// Waits for something to do. One caller at a time.
    func next() async -> Wake {
        await withTaskCancellationHandler {
            while true {
                if let wake = state.withLock({ $0.take() }) { return wake }
                await withCheckedContinuation { continuation in
                    let isReady = state.withLock { state in
                        let isReady =
                            state.isCancelled || state.isClosed || state.hasOverflowed
                            || !state.order.isEmpty
                        if !isReady { state.sleeper = continuation }
                        return isReady
                    }
                    if isReady { continuation.resume() }
                }
            }
        } onCancel: {
            cancel()
        }
    }
}
