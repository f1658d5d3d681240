internal import Synchronization

/// The newest of what was written to a stream lately: when the stream breaks, nobody knows how much
/// of it was heard. Bounded: the last few thousand mailboxes, or somewhat more.
package final class HandedOver: Sendable {
    private struct State {
        var current: PushMarks
        var previous: PushMarks
        var isIncomplete = false
    }

    private let state: Mutex<State>
    private let countMaximum: Int

    /// - Parameter countMaximum: mailboxes that are remembered; up to twice as many.
    package init(countMaximum: Int = 2_048) {
        self.countMaximum = countMaximum
        let marks = PushMarks(countMaximum: countMaximum)
        state = Mutex(State(current: marks, previous: marks))
    }

    /// Notes what is written.
    package func note(_ pushes: [Push], isIncomplete: Bool) {
        state.withLock { state in
            if isIncomplete { state.isIncomplete = true }
            for push in pushes where !state.current.add(push) {
                state.previous = state.current
                state.current = PushMarks(countMaximum: countMaximum)
                state.current.add(push)
            }
        }
    }

    /// Takes everything out, as notices; and whether a frame said that others were lost: it may not
    /// have been heard.
    package func take() -> (pushes: [Push], isIncomplete: Bool) {
        state.withLock { state in
            let pushes = state.previous.take(atMost: .max) + state.current.take(atMost: .max)
            defer { state.isIncomplete = false }
            return (pushes, state.isIncomplete)
        }
    }
}
