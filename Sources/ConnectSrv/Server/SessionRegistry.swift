internal import ClientWire
internal import Mailbox
internal import StoreAPI
internal import Synchronization

/// Who is connected here, on which device; brings pushes to them.
final class SessionRegistry: Sendable {
    private struct Entry {
        let number: UInt64
        let port: ConnectionPort
    }

    private struct State {
        var sessions: [Address: [DeviceID: Entry]] = [:]
        var count = 0
        var attachment: (any PushAttachment)?

        func report(
            _ account: Address, _ device: DeviceID, _ number: UInt64, isOnline: Bool
        ) {
            attachment?.report(
                PresenceChange(
                    account: account, device: device, session: number, isOnline: isOnline))
        }
    }

    private let state = Mutex(State())
    private let metrics: ConnectMetrics

    init(metrics: ConnectMetrics) { self.metrics = metrics }

    /// Sessions now.
    var count: Int { state.withLock { $0.count } }

    /// Presence is told to this from here on; nil tells nobody.
    func attach(_ attachment: (any PushAttachment)?) {
        state.withLock { $0.attachment = attachment }
    }

    /// A session begins. It takes the place of the device's session before, and of the one that it
    /// says it resumes; `port` gets `alone` when those take nothing more.
    ///
    /// A device that is welcome settles by the store's numbers what its older connection sent. What
    /// that one still had in its buffers would be stored behind its back.
    func join(
        _ session: ConnectionStateMachine.Session, resuming: UInt64, port: ConnectionPort
    ) {
        let replaced = state.withLock { state -> [Entry] in
            var devices = state.sessions[session.account] ?? [:]
            var replaced: [Entry] = []
            for (device, entry) in devices
            where device == session.device || (resuming != 0 && entry.number == resuming) {
                devices[device] = nil
                replaced.append(entry)
                state.count -= 1
                state.report(session.account, device, entry.number, isOnline: false)
            }
            devices[session.device] = Entry(number: session.number, port: port)
            state.sessions[session.account] = devices
            state.count += 1
            // Under the lock: presence is heard in the order in which it changed.
            state.report(session.account, session.device, session.number, isOnline: true)
            return replaced
        }
        guard !replaced.isEmpty else { return port.post(.alone) }
        let others = Countdown(replaced.count)
        for entry in replaced {
            entry.port.post(
                .replaced {
                    if others.isLast() { port.post(.alone) }
                })
        }
    }

    /// A session is over. Harmless when another took its place.
    func leave(_ account: Address, _ device: DeviceID, number: UInt64) {
        state.withLock { state in
            guard state.sessions[account]?[device]?.number == number else { return }
            state.sessions[account]?[device] = nil
            if state.sessions[account]?.isEmpty == true { state.sessions[account] = nil }
            state.count -= 1
            state.report(account, device, number, isOnline: false)
        }
    }

    /// Brings a push to every session of its account.
    func deliver(_ push: Push) {
        let ports = state.withLock { state in
            state.sessions[push.mailbox.receiver]?.values.map(\.port) ?? []
        }
        guard !ports.isEmpty else { return }
        metrics.pushed(ports.count)
        let event = Self.event(push)
        for port in ports { port.post(event) }
    }

    private static func event(_ push: Push) -> ConnectionPort.Event {
        let sender = push.mailbox.sender.description
        switch push.content {
        case .notice(let max):
            return .notice(sender: sender, epoch: push.epoch.rawValue, maxSequence: max)
        case .message(let message):
            var pushed = Pushed()
            pushed.sender = sender
            pushed.epoch = push.epoch.rawValue
            pushed.message = message.onWire
            return .pushed(pushed)
        }
    }
}

/// Says who of several is the last.
private final class Countdown: Sendable {
    private let left: Atomic<Int>

    init(_ count: Int) { left = Atomic(count) }

    func isLast() -> Bool {
        left.wrappingSubtract(1, ordering: .acquiringAndReleasing).newValue == 0
    }
}
