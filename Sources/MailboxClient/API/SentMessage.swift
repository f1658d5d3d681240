internal import Synchronization

/// A message that is safe in the outbox, and what becomes of it.
public final class SentMessage: Sendable, Identifiable {
    /// The message's number in the local database.
    public let id: Int64

    private struct Shared {
        var state = OutgoingState.saved
        var waiters: [CheckedContinuation<OutgoingState, Never>] = []
    }
    private let shared = Mutex(Shared())

    init(id: Int64) { self.id = id }

    /// What is known of it. A restored server may make an accepted message wait again; the client
    /// sends it again by itself, and this stays `accepted`.
    public var state: OutgoingState { shared.withLock { $0.state } }

    /// Waits until the server has the message, or refused it for good; through disconnections, as
    /// long as it takes. After a restart of the program: `MailboxClient.outgoingState(of:)`.
    public func settled() async -> OutgoingState {
        await withCheckedContinuation { continuation in
            let state: OutgoingState? = shared.withLock { shared in
                guard shared.state == .saved else { return shared.state }
                shared.waiters.append(continuation)
                return nil
            }
            if let state { continuation.resume(returning: state) }
        }
    }

    func settle(_ state: OutgoingState) {
        let waiters = shared.withLock { shared in
            guard shared.state == .saved, state != .saved else {
                return [] as [CheckedContinuation<OutgoingState, Never>]
            }
            shared.state = state
            defer { shared.waiters = [] }
            return shared.waiters
        }
        for waiter in waiters { waiter.resume(returning: state) }
    }

    /// The client was shut down: whoever waits hears that the message is saved.
    func release() {
        let waiters = shared.withLock { shared in
            defer { shared.waiters = [] }
            return shared.waiters
        }
        for waiter in waiters { waiter.resume(returning: .saved) }
    }
}
