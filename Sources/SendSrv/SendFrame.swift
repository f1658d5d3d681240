internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import Synchronization

/// A frame of messages on their way to the store, and the outcomes that came so far.
final class SendFrame: Sendable {
    private struct State {
        var outcomes: [AppendOutcome?]
        var missing: Int
        var waiter: CheckedContinuation<Void, Never>?
    }

    private let frame: AppendFrame
    private let state: Mutex<State>
    /// What the frame takes in memory until it is answered, about.
    let charge: Int
    /// The client's number for the frame.
    var number: UInt64 { frame.frame }

    init(_ frame: AppendFrame) {
        self.frame = frame
        let count = frame.appends.count
        charge = frame.appends.reduce(1_024 + 512 * frame.refusals.count) {
            $0 + 256 + $1.body.count
        }
        state = Mutex(
            State(outcomes: [AppendOutcome?](repeating: nil, count: count), missing: count))
    }

    /// Hands the messages over in their order, without waiting. Once.
    func begin(_ sender: MessageSender) {
        for (place, append) in frame.appends.enumerated() {
            sender.send(append) { self.note(place, $0) }
        }
    }

    private func note(_ place: Int, _ outcome: AppendOutcome) {
        let waiter = state.withLock { state -> CheckedContinuation<Void, Never>? in
            state.outcomes[place] = outcome
            state.missing -= 1
            guard state.missing == 0 else { return nil }
            defer { state.waiter = nil }
            return state.waiter
        }
        waiter?.resume()
    }

    /// One for each append of the frame, in their order, when all are there.
    func outcomes() async -> [AppendOutcome] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.missing > 0 { state.waiter = continuation }
                return state.missing == 0
            }
            if isReady { continuation.resume() }
        }
        return frame.merged(state.withLock { $0.outcomes.compactMap { $0?.relayed } })
    }
}
