internal import Mailbox

/// A device of an account.
struct DeviceKey: Hashable, Sendable {
    let account: Address
    let device: DeviceID
}

/// Which devices are owed a notification, and when each is due: the logic of collapsing and of
/// trying again, without any input or output.
///
/// However many messages come, a device is in the table once: what comes before its notification is
/// sent is part of it; what comes while it is under way makes one more, after the quiet time.
struct OwedTable: Sendable {
    typealias Moment = ContinuousClock.Instant

    /// How long what takes.
    struct Delays: Sendable {
        var collapse: Duration
        var quiet: Duration
        var silence: Duration
        var retryInitial: Duration
        var retryMaximum: Duration
        var attemptsMaximum: Int
    }

    /// What a notification would tell of the newest message.
    struct News: Hashable, Sendable {
        var mailbox: MailboxID
        var epoch: Epoch
        var sequence: SequenceNumber
        /// The message's text, where notifications bring it.
        var text: String?
    }

    /// A device whose time has come.
    struct Due: Sendable {
        let key: DeviceKey
        let news: News?
        /// Attempts before this one.
        let attempts: Int
    }

    /// What became of an attempt.
    enum Outcome: Hashable, Sendable {
        /// It was sent.
        case sent
        /// Nothing needs to be sent: all was confirmed meanwhile, or the device is gone.
        case needless
        /// It will not be sent: the service refused it for good.
        case refused
        /// It may be tried again, after the usual wait.
        case failed
        /// It may be tried again after this time; not counted as an attempt.
        case postponed(Duration)
    }

    private struct Entry: Sendable {
        var news: News?
        var due: Moment
        var attempts = 0
        var isUnderWay = false
        /// Something came while the notification was under way.
        var hasMore = false
        /// The place in the heap that counts: others of this device are left over.
        var turn: UInt64
    }

    private let delays: Delays
    private let countMaximum: Int
    private var entries: [DeviceKey: Entry] = [:]
    private var heap = DueHeap()
    private var turn: UInt64 = 0
    /// When devices were notified last; those whose quiet time is over are forgotten.
    private var notified: [DeviceKey: Moment] = [:]
    /// Notifications under way.
    private(set) var underWay = 0

    init(_ delays: Delays, countMaximum: Int) {
        self.delays = delays
        self.countMaximum = countMaximum
    }

    /// Devices that are owed something.
    var count: Int { entries.count }
    /// When the next one is due, at the earliest.
    var nextDue: Moment? { heap.first?.due }

    /// A message came for a device.
    ///
    /// - Parameters:
    ///   - isOnline: the device has it, presumably, and is given time to confirm it.
    ///   - delay: waits so long in place of the usual.
    /// - Returns: false when there is no room, and the message is forgotten.
    @discardableResult
    mutating func owe(
        _ key: DeviceKey, _ news: News?, isOnline: Bool, now: Moment, delay: Duration? = nil
    ) -> Bool {
        var due = now + (delay ?? (isOnline ? delays.silence : delays.collapse))
        if let last = notified[key] { due = max(due, last + delays.quiet) }
        guard var entry = entries[key] else {
            guard entries.count < countMaximum else { return false }
            entries[key] = Entry(news: news, due: due, turn: 0)
            schedule(key, due)
            return true
        }
        entry.news = news ?? entry.news
        if entry.isUnderWay { entry.hasMore = true }
        // A device that went offline need not be waited for as long as one that was there.
        let isSooner = !entry.isUnderWay && entry.attempts == 0 && due < entry.due
        if isSooner { entry.due = due }
        entries[key] = entry
        if isSooner { schedule(key, due) }
        return true
    }

    /// The device is gone: nothing is owed to it any more.
    mutating func forget(_ key: DeviceKey) {
        guard let entry = entries[key], !entry.isUnderWay else { return }
        entries[key] = nil
    }

    /// The next device whose time has come: it is under way from here on, until `finish`.
    mutating func take(now: Moment) -> Due? {
        while let first = heap.first, first.due <= now {
            heap.removeFirst()
            guard var entry = entries[first.key], entry.turn == first.turn, !entry.isUnderWay
            else { continue }
            entry.isUnderWay = true
            entry.hasMore = false
            entries[first.key] = entry
            underWay += 1
            return Due(key: first.key, news: entry.news, attempts: entry.attempts)
        }
        return nil
    }

    /// An attempt ended.
    ///
    /// - Parameter jitter: between 0 and 1, drawn at random.
    /// - Returns: false when the notification is given up.
    @discardableResult
    mutating func finish(
        _ key: DeviceKey, _ outcome: Outcome, now: Moment, jitter: Double
    ) -> Bool {
        guard var entry = entries[key], entry.isUnderWay else { return true }
        underWay -= 1
        entry.isUnderWay = false
        if outcome == .sent {
            notified[key] = now
            forgetNotified(now)
        }
        switch outcome {
        case .sent, .needless, .refused:
            // What came meanwhile was part of no notification: it is owed still, whatever became of
            // this one.
            guard entry.hasMore else {
                entries[key] = nil
                return outcome != .refused
            }
            entry.attempts = 0
            entry.due = now + (outcome == .needless ? delays.collapse : delays.quiet)
        case .failed:
            entry.attempts += 1
            guard entry.attempts < delays.attemptsMaximum else {
                entries[key] = nil
                return false
            }
            entry.due = now + wait(entry.attempts, jitter)
        case .postponed(let time):
            // Spread over a tenth more, so that not all come back at the same moment.
            entry.due = now + time * (1 + jitter / 10)
        }
        entries[key] = entry
        schedule(key, entry.due)
        return true
    }

    /// A bound that doubles with every attempt, and of it a part drawn at random, at least half.
    private func wait(_ attempts: Int, _ jitter: Double) -> Duration {
        let bound = min(delays.retryMaximum, delays.retryInitial * (1 << min(attempts - 1, 30)))
        return bound * (0.5 + jitter / 2)
    }

    private mutating func schedule(_ key: DeviceKey, _ due: Moment) {
        turn += 1
        entries[key]?.turn = turn
        heap.insert(DueHeap.Element(due: due, turn: turn, key: key))
    }

    private mutating func forgetNotified(_ now: Moment) {
        guard notified.count > 2 * countMaximum || notified.count > 1_024 else { return }
        let quiet = delays.quiet
        let left = notified.filter { $0.value + quiet > now }
        // At worst a device is notified again before its quiet time is over.
        notified = left.count > 2 * countMaximum ? [:] : left
    }
}
