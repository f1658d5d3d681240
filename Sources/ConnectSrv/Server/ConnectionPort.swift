internal import ClientWire
internal import Mailbox
internal import NIOCore
internal import Synchronization

/// Where other threads leave what a connection is to hear: answers from behind, pushes, its end.
///
/// However many come at once, the event loop is woken once. Bounded: answers by the requests in
/// flight; pushes by bytes, above which only their notices are kept, and by number, above which one
/// notice stands for all.
final class ConnectionPort: Sendable {
    enum Event: Sendable {
        case greeted(Result<Greeting, StoreError>)
        case completed(UInt32, ServerAnswer)
        case pushed(Pushed)
        case notice(sender: String, epoch: UInt64, maxSequence: UInt32)
        /// Another connection of the device is there: end, and say when nothing more is taken.
        case replaced(whenDeaf: @Sendable () -> Void)
        /// The older connections of the device take nothing more.
        case alone
    }

    private struct State {
        var events: [Event] = []
        var pushBytes = 0
        var pushCount = 0
        var isClosed = false
    }

    private static let pushCountMaximum = 4_096

    private let state = Mutex(State())
    private let eventLoop: any EventLoop
    private let pushBytesMaximum: Int
    /// Called on the event loop when something is there.
    private let wake: NIOLoopBound<() -> Void>

    /// On the event loop.
    init(eventLoop: any EventLoop, pushBytesMaximum: Int, wake: @escaping () -> Void) {
        self.eventLoop = eventLoop
        self.pushBytesMaximum = pushBytesMaximum
        self.wake = NIOLoopBound(wake, eventLoop: eventLoop)
    }

    /// Leaves an event.
    func post(_ event: Event) {
        let (isFirst, isClosed) = state.withLock { state in
            guard !state.isClosed else { return (false, true) }
            state.events.append(bounded(event, &state))
            return (state.events.count == 1, false)
        }
        if isClosed, case .replaced(let whenDeaf) = event { whenDeaf() }
        guard isFirst else { return }
        eventLoop.execute { [wake] in wake.value() }
    }

    /// Takes what is there, in order.
    func take() -> [Event] {
        state.withLock { state in
            defer {
                state.events = []
                state.pushBytes = 0
                state.pushCount = 0
            }
            return state.events
        }
    }

    /// Nothing more is taken in.
    func close() {
        let events = state.withLock { state in
            state.isClosed = true
            defer { state.events = [] }
            return state.events
        }
        for case .replaced(let whenDeaf) in events { whenDeaf() }
    }

    private func bounded(_ event: Event, _ state: inout State) -> Event {
        switch event {
        case .greeted, .completed, .replaced, .alone: return event
        case .notice: state.pushCount += 1
        case .pushed(let pushed):
            state.pushCount += 1
            let size = pushed.message.body.count
            if state.pushBytes + size <= pushBytesMaximum,
                state.pushCount <= Self.pushCountMaximum
            {
                state.pushBytes += size
                return event
            }
        }
        guard state.pushCount > Self.pushCountMaximum else {
            guard case .pushed(let pushed) = event else { return event }
            return .notice(
                sender: pushed.sender, epoch: pushed.epoch,
                maxSequence: pushed.message.sequence)
        }
        // All pushes that wait become one notice for all senders.
        state.events.removeAll { waiting in
            switch waiting {
            case .pushed, .notice: true
            case .greeted, .completed, .replaced, .alone: false
            }
        }
        state.pushBytes = 0
        state.pushCount = 1
        return .notice(sender: "", epoch: 0, maxSequence: 0)
    }
}
