import Mailbox

/// What was sent and what arrived: it believes no sequence of the server's, and compares every
/// message with the one that was sent in its place.
struct DeliveryLedger {
    /// Everything that is counted.
    struct Counts: Equatable {
        var sent = 0
        var bodyBytes = 0
        var accepted = 0
        /// Answers that said that a message was stored before: its first answer was lost.
        var duplicates = 0
        var pushed = 0
        var fetched = 0
        var confirmed = 0
        /// A message was applied that had been applied before.
        var doubled = 0
        /// A message was applied with one before it still lacking.
        var outOfOrder = 0
        /// A message was applied that has other bytes than the one that was sent.
        var damaged = 0
        /// Messages of other devices, from before.
        var foreign = 0
        /// Pushes and answers that brought what a device had; it dropped them.
        var repeated = 0

        var delivered: Int { pushed + fetched }
        var missing: Int { sent - delivered }
        /// Everything that was sent arrived once, in order and whole, and was confirmed.
        var isPerfect: Bool {
            accepted == sent && missing == 0 && confirmed >= sent && doubled == 0
                && outOfOrder == 0 && damaged == 0
        }
    }

    private struct Sent {
        let digest: UInt64
        let at: ContinuousClock.Instant
    }

    private struct Box {
        var sent: [Sent] = []
        var acceptedCount = 0
        var arrivedCount = 0
    }

    private let device: DeviceID
    private var boxes: [MailboxID: Box] = [:]
    private(set) var counts = Counts()
    private(set) var toAccepted = LatencyHistogram()
    private(set) var toDelivered = LatencyHistogram()

    /// - Parameter device: the device that every account sends with.
    init(device: DeviceID) { self.device = device }

    var mailboxCount: Int { boxes.count }

    /// A message was handed to its sender's device, as the next of its mailbox.
    mutating func sent(
        _ mailbox: MailboxID, _ body: some Collection<UInt8>, at now: ContinuousClock.Instant
    ) {
        counts.sent += 1
        counts.bodyBytes += body.count
        boxes[mailbox, default: Box()].sent.append(Sent(digest: Self.digest(body), at: now))
    }

    /// The server has everything of a mailbox through a client sequence.
    mutating func accepted(
        _ mailbox: MailboxID, through last: ClientSequence, at now: ContinuousClock.Instant
    ) {
        guard var box = boxes[mailbox] else { return }
        let end = min(Int(last), box.sent.count)
        guard end > box.acceptedCount else { return }
        for sent in box.sent[box.acceptedCount..<end] { toAccepted.add(now - sent.at) }
        counts.accepted += end - box.acceptedCount
        box.acceptedCount = end
        boxes[mailbox] = box
    }

    /// A device applied a message.
    mutating func arrived(
        _ mailbox: MailboxID, _ message: Arrival, at now: ContinuousClock.Instant
    ) {
        guard message.device == device.description else {
            counts.foreign += 1
            return
        }
        let place = Int(message.clientSequence) - 1
        guard var box = boxes[mailbox], box.sent.indices.contains(place) else {
            // Nobody sent it.
            counts.damaged += 1
            return
        }
        guard place >= box.arrivedCount else {
            counts.doubled += 1
            return
        }
        if place > box.arrivedCount { counts.outOfOrder += 1 }
        if box.sent[place].digest != Self.digest(message.body) { counts.damaged += 1 }
        box.arrivedCount = place + 1
        toDelivered.add(now - box.sent[place].at)
        switch message.way {
        case .pushed: counts.pushed += 1
        case .fetched: counts.fetched += 1
        }
        boxes[mailbox] = box
    }

    /// A message as a device applied it.
    struct Arrival {
        var device: String
        var clientSequence: ClientSequence
        var body: [UInt8]
        var way: DeviceMachine.Way
    }

    mutating func note(duplicates: Int, repeated: Int, confirmed: Int) {
        counts.duplicates += duplicates
        counts.repeated += repeated
        counts.confirmed += confirmed
    }

    /// Fowler, Noll and Vo's hash (FNV-1a): enough to tell whether a server mixed messages up.
    private static func digest(_ body: some Collection<UInt8>) -> UInt64 {
        var hash: UInt64 = 0xCBF2_9CE4_8422_2325
        for byte in body { hash = (hash ^ UInt64(byte)) &* 0x100_0000_01B3 }
        return hash
    }
}

/// Times, counted in steps of a sixteenth of a power of two.
struct LatencyHistogram: Equatable {
    private var counts = [Int](repeating: 0, count: 16 * 61)
    private(set) var total = 0

    mutating func add(_ duration: Duration) {
        let microseconds = max(0, Int(duration / .microseconds(1)))
        counts[Self.step(of: microseconds)] += 1
        total += 1
    }

    /// The time that so much of all took at most, in seconds; 0 when there are none.
    func quantile(_ quantile: Double) -> Double {
        var left = Int((Double(total) * quantile).rounded(.up))
        for (step, count) in counts.enumerated() {
            left -= count
            if left <= 0, count > 0 { return Double(Self.end(of: step)) / 1e6 }
        }
        return 0
    }

    private static func step(of value: Int) -> Int {
        guard value >= 16 else { return value }
        let shift = Int.bitWidth - 1 - value.leadingZeroBitCount - 4
        return 16 * (shift + 1) + (value >> shift) - 16
    }

    private static func end(of step: Int) -> Int {
        guard step >= 16 else { return step }
        let shift = step / 16 - 1
        return ((step % 16 + 17) << shift) - 1
    }
}
