internal import Mailbox
internal import Synchronization

/// What one watcher of the model has not heard yet: the newest head of each mailbox that moved.
final class ModelWatcher: Sendable {
    typealias Answer = Result<WatchEvent?, StoreError>

    private enum Pending {
        case head(MailboxID)
        case caughtUp
    }

    private struct State {
        var order: [Pending] = []
        var heads: [MailboxID: Head] = [:]
        var end: Answer?
        var waiting: CheckedContinuation<Answer, Never>?

        mutating func take() -> Answer? {
            guard !order.isEmpty else { return end }
            switch order.removeFirst() {
            case .caughtUp: return .success(.caughtUp)
            case .head(let mailbox):
                return heads.removeValue(forKey: mailbox).map { .success(.head(mailbox, $0)) }
            }
        }
    }

    private let receivers: Set<Address>
    private let state = Mutex(State())

    init(receivers: Set<Address>) {
        self.receivers = receivers
    }

    func post(_ mailbox: MailboxID, _ head: Head) {
        guard receivers.contains(mailbox.receiver) else { return }
        change { state in
            if state.heads.updateValue(head, forKey: mailbox) == nil {
                state.order.append(.head(mailbox))
            }
        }
    }

    func postCaughtUp() {
        change { $0.order.append(.caughtUp) }
    }

    func end(_ answer: Answer) {
        change { state in
            state.order = []
            state.end = answer
        }
    }

    /// Changes what is pending, and hands the first of it to whoever waits.
    private func change(_ body: (inout State) -> Void) {
        let woken = state.withLock { state -> (CheckedContinuation<Answer, Never>, Answer)? in
            body(&state)
            guard let waiting = state.waiting, let answer = state.take() else { return nil }
            state.waiting = nil
            return (waiting, answer)
        }
        if let (waiting, answer) = woken { waiting.resume(returning: answer) }
    }

    func next() async throws(StoreError) -> WatchEvent? {
        let answer = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let ready = state.withLock { state -> Answer? in
                    if let answer = state.take() { return answer }
                    state.waiting = continuation
                    return nil
                }
                if let ready { continuation.resume(returning: ready) }
            }
        } onCancel: {
            end(.success(nil))
        }
        return try answer.get()
    }
}

/// The events of one watcher; the watch ends when nobody holds it any more.
struct ModelWatch: AsyncSequence, Sendable {
    typealias Element = WatchEvent
    typealias Failure = StoreError

    /// Ends the watch when the sequence and its iterators are gone.
    final class Registration: Sendable {
        let watcher: ModelWatcher
        private let onEnd: @Sendable () -> Void

        init(watcher: ModelWatcher, onEnd: @escaping @Sendable () -> Void) {
            self.watcher = watcher
            self.onEnd = onEnd
        }

        deinit { onEnd() }
    }

    struct AsyncIterator: AsyncIteratorProtocol {
        let registration: Registration

        mutating func next() async throws(StoreError) -> WatchEvent? {
            try await registration.watcher.next()
        }

        mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> WatchEvent? {
            try await registration.watcher.next()
        }
    }

    private let registration: Registration

    init(watcher: ModelWatcher, onEnd: @escaping @Sendable () -> Void) {
        registration = Registration(watcher: watcher, onEnd: onEnd)
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(registration: registration)
    }
}
