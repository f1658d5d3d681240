import ClientWire
import Mailbox
import MailboxClient
import SwiftProtobuf
import Synchronization

/// Devices on connections of their own: one for each account, made when the account is met first.
///
/// Everything changes under one lock, by events of the connections and by who sends; machines say
/// what is to be done. Nothing under the lock waits.
final class DeviceFleet: Sendable {
    /// What the fleet works with.
    struct Configuration: Sendable {
        /// Where devices connect; each takes the next.
        var transports: [any ClientTransport]
        var tokens: AccountTokens
        var device: DeviceID
        /// Messages that may wait for their answers, over all devices.
        var sendsMaximum = 1_024
        /// Connections that may be on their way to their welcome.
        var connectingMaximum = 64
    }

    private struct Member {
        var machine: DeviceMachine
        var connection: (any ClientConnection)?
        /// Which connection it is: what older ones tell is of no interest.
        var attempt: UInt64 = 0
        var isConnecting = false
        var failures = 0
        var reconnectMilliseconds = 0
    }

    private struct State {
        var members: [Member] = []
        var places: [Address: Int] = [:]
        /// Members that wait for their turn to connect.
        var toConnect: [Int] = []
        var connecting = 0
        var ledger: DeliveryLedger
        var cuts = 0
        var isEnded = false
        /// Nothing came forward for too long.
        var isStalled = false
        var problem: String?
        /// Who waits for room to send.
        var sender: CheckedContinuation<Void, Never>?
        var random = SplitMix64(state: 1)
        /// Counts everything that brings the work forward.
        var progress = 0
    }

    private let configuration: Configuration
    private let state: Mutex<State>
    private let clock = ContinuousClock()

    init(_ configuration: Configuration) {
        self.configuration = configuration
        state = Mutex(State(ledger: DeliveryLedger(device: configuration.device)))
    }

    /// What was counted so far.
    var ledger: DeliveryLedger { state.withLock { $0.ledger } }
    /// Accounts that were met.
    var accountCount: Int { state.withLock { $0.members.count } }
    /// Connections that were cut on purpose.
    var cutCount: Int { state.withLock { $0.cuts } }

    // MARK: Driving

    /// Hands a message to its sender's device, as soon as there is room.
    ///
    /// - Returns: false when nothing comes forward any more; then it was not sent.
    /// - Throws: `Failure` when a device met what it may not meet.
    func send(_ record: TraceRecord) async throws(Failure) -> Bool {
        await waitForRoom()
        let (isSent, problem) = state.withLock { state -> (Bool, String?) in
            guard !state.isStalled, state.problem == nil else { return (false, state.problem) }
            _ = member(record.mailbox.receiver, &state)
            let place = member(record.mailbox.sender, &state)
            state.ledger.sent(record.mailbox, record.body, at: clock.now)
            var effects = DeviceMachine.Effects()
            _ = state.members[place].machine.enqueue(
                Array(record.body), to: record.mailbox.receiver, &effects)
            perform(effects, place, &state)
            return (true, state.problem)
        }
        if let problem { throw Self.failure(problem) }
        return isSent
    }

    private func waitForRoom() async {
        await withCheckedContinuation { (continuation: CheckedContinuation<Void, Never>) in
            let mayGoOn = state.withLock { state in
                if hasRoom(state) { return true }
                state.sender = continuation
                return false
            }
            if mayGoOn { continuation.resume() }
        }
    }

    private func hasRoom(_ state: State) -> Bool {
        let counts = state.ledger.counts
        return counts.sent - counts.accepted < configuration.sendsMaximum || state.isStalled
            || state.problem != nil
    }

    /// Cuts the connection of a device, whichever it is; it comes back by itself.
    func cutOne() {
        state.withLock { state in
            guard !state.members.isEmpty else { return }
            let place = Int(state.random.next() % UInt64(state.members.count))
            guard state.members[place].machine.isOpen else { return }
            state.cuts += 1
            state.members[place].connection?.close()
        }
    }

    /// Waits until everything that was sent has arrived and is confirmed, or until nothing comes
    /// forward any more.
    ///
    /// - Throws: `Failure` when a device met what it may not meet.
    func settle() async throws {
        while true {
            let (isOver, problem) = state.withLock { state in
                let isDone =
                    state.ledger.counts.isPerfect && state.members.allSatisfy(\.machine.isIdle)
                return (isDone || state.isStalled, state.problem)
            }
            if let problem { throw Self.failure(problem) }
            if isOver { return }
            try await Task.sleep(for: .milliseconds(20))
        }
    }

    /// Watches the work until the task is cancelled: when nothing comes forward for so long, nobody
    /// waits for it any more.
    func watch(patience: Duration) async {
        var seen = -1
        var changed = clock.now
        while (try? await Task.sleep(for: .milliseconds(100))) != nil {
            let progress = state.withLock { $0.progress }
            if progress != seen {
                seen = progress
                changed = clock.now
            } else if clock.now - changed > patience {
                let sender = state.withLock { state in
                    state.isStalled = true
                    defer { state.sender = nil }
                    return state.sender
                }
                sender?.resume()
                return
            }
        }
    }

    /// Closes every connection; nobody comes back.
    func end() {
        state.withLock { state in
            state.isEnded = true
            for member in state.members { member.connection?.close() }
        }
    }

    private static func failure(_ problem: String) -> Failure {
        Failure(
            code: "deviceFailed", message: "a device cannot go on: \(problem)", status: .problems)
    }

    // MARK: Connections

    private func member(_ account: Address, _ state: inout State) -> Int {
        if let place = state.places[account] { return place }
        let place = state.members.count
        state.members.append(
            Member(machine: DeviceMachine(account: account, device: configuration.device)))
        state.places[account] = place
        state.toConnect.append(place)
        connectNext(&state)
        return place
    }

    private func connectNext(_ state: inout State) {
        while !state.isEnded, state.connecting < configuration.connectingMaximum,
            let place = state.toConnect.popLast()
        {
            state.connecting += 1
            state.members[place].isConnecting = true
            state.members[place].attempt += 1
            let attempt = state.members[place].attempt
            let number = place + state.members[place].failures
            let transport = configuration.transports[number % configuration.transports.count]
            // Nothing is reported before this returns, and what is waits for the lock.
            state.members[place].connection = transport.connect { [weak self] event in
                self?.take(event, place, attempt)
            }
        }
    }

    private func take(_ event: TransportEvent, _ place: Int, _ attempt: UInt64) {
        var frames: [DeviceMachine.Answer] = []
        var isMalformed = false
        if case .messages(let messages) = event {
            for message in messages {
                guard let frame = try? DeviceMachine.Answer(serializedBytes: message) else {
                    isMalformed = true
                    continue
                }
                frames.append(frame)
            }
        }
        let sender = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard state.members[place].attempt == attempt else { return nil }
            var effects = DeviceMachine.Effects()
            if isMalformed { effects.problem = "a message came that is none" }
            switch event {
            case .opened: open(place, &effects, &state)
            case .messages:
                for frame in frames { state.members[place].machine.take(frame, &effects) }
                welcomed(place, &state)
            case .closed: closed(place, &state)
            }
            perform(effects, place, &state)
            guard hasRoom(state) else { return nil }
            defer { state.sender = nil }
            return state.sender
        }
        sender?.resume()
    }

    private func open(
        _ place: Int, _ effects: inout DeviceMachine.Effects, _ state: inout State
    ) {
        do {
            let token = try configuration.tokens.mint(state.members[place].machine.account)
            state.members[place].machine.opened(token: token, &effects)
        } catch {
            effects.problem = "no token can be made"
        }
    }

    private func welcomed(_ place: Int, _ state: inout State) {
        guard state.members[place].isConnecting, state.members[place].machine.isOpen else {
            return
        }
        state.members[place].isConnecting = false
        state.members[place].failures = 0
        state.connecting -= 1
        connectNext(&state)
    }

    private func closed(_ place: Int, _ state: inout State) {
        if state.members[place].isConnecting {
            state.members[place].isConnecting = false
            state.members[place].failures += 1
            state.connecting -= 1
        }
        state.members[place].connection = nil
        state.members[place].attempt += 1
        state.members[place].machine.closed()
        guard !state.isEnded else { return }
        connectNext(&state)
        // It comes back after a while, which grows when it cannot connect.
        let bound = min(2_000, 100 << min(state.members[place].failures, 5))
        let wait =
            state.members[place].reconnectMilliseconds
            + Int(state.random.next() % UInt64(bound))
        state.members[place].reconnectMilliseconds = 0
        later(wait) { fleet in
            fleet.state.withLock { state in
                state.toConnect.insert(place, at: 0)
                fleet.connectNext(&state)
            }
        }
    }

    private func later(_ milliseconds: Int, _ body: @escaping @Sendable (DeviceFleet) -> Void) {
        Task { [weak self] in
            try? await Task.sleep(for: .milliseconds(milliseconds))
            if let self { body(self) }
        }
    }

    // MARK: Effects

    private func perform(
        _ effects: DeviceMachine.Effects, _ place: Int, _ state: inout State
    ) {
        if let problem = effects.problem, state.problem == nil { state.problem = problem }
        if !effects.frames.isEmpty {
            do {
                let messages: [[UInt8]] = try effects.frames.map { try $0.serializedBytes() }
                state.members[place].connection?.send(messages)
            } catch {
                state.problem = state.problem ?? "a request cannot be encoded"
            }
        }
        count(effects, state.members[place].machine.account, &state)
        if let wait = effects.reconnectMilliseconds {
            state.members[place].reconnectMilliseconds = wait
            state.members[place].connection?.close()
        }
        if let pause = effects.pauseMilliseconds {
            let attempt = state.members[place].attempt
            later(pause) { $0.resume(place, attempt) }
        }
    }

    private func resume(_ place: Int, _ attempt: UInt64) {
        state.withLock { state in
            guard state.members[place].attempt == attempt else { return }
            var effects = DeviceMachine.Effects()
            state.members[place].machine.resume(&effects)
            perform(effects, place, &state)
        }
    }

    private func count(
        _ effects: DeviceMachine.Effects, _ account: Address, _ state: inout State
    ) {
        let now = clock.now
        for accepted in effects.accepted {
            state.ledger.accepted(
                MailboxID(sender: account, receiver: accepted.receiver),
                through: accepted.through, at: now)
        }
        for (sender, message, way) in effects.received {
            state.ledger.arrived(
                MailboxID(sender: sender, receiver: account),
                DeliveryLedger.Arrival(
                    device: message.device, clientSequence: message.clientSequence,
                    body: Array(message.body), way: way), at: now)
        }
        state.ledger.note(
            duplicates: effects.duplicates, repeated: effects.repeated,
            confirmed: effects.confirmed)
        state.progress += effects.accepted.count + effects.received.count + effects.confirmed
    }
}
