import Mailbox
import StoreEngine

/// Holds a store to a history: what was promised is there, nothing else is, and it works on.
struct Oracle {
    var durability: Durability = .commit

    /// Sizes as small as they may be, and nothing that runs by itself.
    static func configuration(_ durability: Durability = .commit) -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.durability = durability
        configuration.syncIntervalMilliseconds = 60_000
        configuration.messageBytesMaximum = 32 << 10
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 64 << 10
        configuration.tailBytesMaximum = 1 << 20
        configuration.headCacheMaximum = 16
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.mapBytesInitial = 1 << 20
        configuration.mapBytesMaximum = 64 << 20
        configuration.readersMaximum = 8
        return configuration
    }

    /// So little memory for what is not in the data file yet that a replay of the journal must
    /// write checkpoints, and gives segments back.
    static func press(_ configuration: inout StoreConfiguration, _ random: inout SeededRandom) {
        let budgets = [16 << 10, 48 << 10, 128 << 10]
        configuration.tailBytesMinimum = 4 << 10
        configuration.tailBytesMaximum = budgets[Int.random(in: 0..<3, using: &random)]
        // Checkpoints that nobody asked for run beside the replay, too.
        if random.chance(40) { configuration.checkpointIntervalMilliseconds = 10 }
    }

    // MARK: At rest

    /// Compares a store with what it must have, and may have.
    ///
    /// - Parameters:
    ///   - required: what it must have: the history itself, or that of the moment when a backup
    ///   began.
    ///   - history: what was ever asked of it.
    func check(
        _ store: MailboxStore, _ required: [History.OfMailbox], _ history: History
    ) throws(Failure) {
        try inStore { () throws(StoreError) in
            let report = try store.verify()
            guard report.isSound else {
                return "verify: \(report.problems.joined(separator: "; "))"
            }
            let known = try store.mailboxes(after: nil, limit: 100).entries
            for entry in known where !Universe.mailboxes.contains(entry.mailbox) {
                return "a mailbox that nobody wrote to: \(entry.mailbox)"
            }
            for number in Universe.mailboxes.indices {
                if let wrong = try wrong(
                    number, store, required[number], history.mailboxes[number])
                {
                    return "mailbox \(number): \(wrong)"
                }
            }
            return nil
        }
    }

    private func inStore(_ body: () throws(StoreError) -> String?) throws(Failure) {
        let wrong: String?
        do throws(StoreError) { wrong = try body() } catch {
            throw Failure("the store answers \(error.code): \(error.message)")
        }
        if let wrong { throw Failure(wrong) }
    }

    private func wrong(
        _ number: Int, _ store: MailboxStore, _ required: History.OfMailbox,
        _ asked: History.OfMailbox
    ) throws(StoreError) -> String? {
        let mailbox = Universe.mailboxes[number]
        let head = try store.head(mailbox)
        guard head.max >= required.max else {
            return "max is \(head.max), and \(required.max) was promised"
        }
        guard head.acknowledged <= asked.cursor else {
            return "\(head.acknowledged) is acknowledged, and nobody asked beyond \(asked.cursor)"
        }
        guard head.floor <= head.acknowledged, head.acknowledged <= head.max else {
            return "floor \(head.floor), acknowledged \(head.acknowledged), max \(head.max)"
        }
        var last = [ClientSequence](repeating: 0, count: Universe.deviceCount)
        var after = head.floor
        while after < head.max {
            let page: FetchResult
            do throws(StoreError) {
                page = try store.read(
                    mailbox, after: after, through: nil, limit: PageLimit(messages: 1_000))
            } catch {
                // A checkpoint may trim meanwhile: the floor says so, and the look begins anew.
                guard error.code == .trimmed, try store.head(mailbox).floor > head.floor else {
                    throw error
                }
                return try wrong(number, store, required, asked)
            }
            for message in page.messages {
                guard message.sequence == after + 1 else { return "a hole behind \(after)" }
                after = message.sequence
                guard let origin = Universe.origin(message, mailbox: number) else {
                    return "\(after) has a wrong body"
                }
                if Int(after) <= required.known.count, let known = required.known[Int(after) - 1],
                    known != origin
                {
                    return "\(after) was \(known), and is \(origin)"
                }
                guard origin.clientSequence <= asked.sent[origin.device] else {
                    return "\(after) was never sent: \(origin)"
                }
                guard last[origin.device] == 0 || origin.clientSequence == last[origin.device] + 1
                else { return "device \(origin.device) is out of order at \(after)" }
                last[origin.device] = origin.clientSequence
            }
            if page.messages.isEmpty { return "nothing behind \(after), and max is \(head.max)" }
        }
        for device in Universe.devices.indices {
            let state = try store.sendState(mailbox, device: Universe.devices[device])
            guard state >= required.accepted[device], state <= asked.sent[device],
                last[device] == 0 || state == last[device]
            else {
                return "device \(device) is at \(state); accepted \(required.accepted[device]), "
                    + "sent \(asked.sent[device]), newest \(last[device])"
            }
        }
        return nil
    }

    // MARK: And on

    /// Opens the store that is there, holds it to the history, uses it, opens it again, and holds
    /// it to what came in between as well.
    ///
    /// - Returns: the history, with that.
    @discardableResult
    func open(
        _ path: String, _ history: History, _ random: inout SeededRandom
    ) throws(Failure) -> History {
        var history = history
        let store = try opened(path, &random)
        defer { store.abandon() }
        if let epoch = history.epoch, store.epoch.description != epoch {
            throw Failure("the store of epoch \(epoch) is gone; this one is \(store.epoch)")
        }
        try check(store, history.mailboxes, history)
        try use(store, &history, &random)
        let again = try opened(path, &random)
        defer { again.abandon() }
        try check(again, history.mailboxes, history)
        return history
    }

    private func opened(
        _ path: String, _ random: inout SeededRandom
    ) throws(Failure) -> MailboxStore {
        var configuration = Self.configuration(durability)
        if random.chance(30) { Self.press(&configuration, &random) }
        do throws(StoreError) {
            return try MailboxStore.open(at: path, configuration: configuration)
        } catch {
            throw Failure("the store does not open: \(error.code): \(error.message)")
        }
    }

    /// Works on the store a little, and leaves it closed, or as a kill would.
    private func use(
        _ store: MailboxStore, _ history: inout History, _ random: inout SeededRandom
    ) throws(Failure) {
        var next = history
        // The checkpoint in front lets a segment be used again that the cut left half written.
        let checkpointsFirst = random.chance(40)
        let checkpointsLast = random.chance(40)
        let appends = Int.random(in: 1...2, using: &random)
        let isClosed = random.chance(40)
        var draws = random
        try inStore { () throws(StoreError) in
            if checkpointsFirst { try store.blocking.checkpoint() }
            for _ in 0..<appends {
                if let wrong = try append(store, &next, &draws) { return wrong }
            }
            if draws.chance(30) { try acknowledge(store, &next, &draws) }
            if checkpointsLast { try store.blocking.checkpoint() }
            if isClosed { try store.close() }
            return nil
        }
        if !isClosed { store.abandon() }
        random = draws
        history = next
    }

    private func acknowledge(
        _ store: MailboxStore, _ history: inout History, _ random: inout SeededRandom
    ) throws(StoreError) {
        let number = Int.random(in: 0..<Universe.mailboxCount, using: &random)
        let head = try store.head(Universe.mailboxes[number])
        let cursor = SequenceNumber.random(in: 0...head.max, using: &random)
        history.mailboxes[number].cursor = max(history.mailboxes[number].cursor, cursor)
        _ = try store.fetch(
            Universe.mailboxes[number], cursor: Cursor(cursor, epoch: store.epoch),
            limit: PageLimit(messages: 10))
        if random.chance(50) { try store.blocking.compact(.unacknowledged) }
    }

    private func append(
        _ store: MailboxStore, _ history: inout History, _ random: inout SeededRandom
    ) throws(StoreError) -> String? {
        let number = Int.random(in: 0..<Universe.mailboxCount, using: &random)
        let device = Int.random(in: 0..<Universe.deviceCount, using: &random)
        let mailbox = Universe.mailboxes[number]
        let client = try store.sendState(mailbox, device: Universe.devices[device]) + 1
        let origin = Universe.Origin(device: device, clientSequence: client, run: 9_999)
        // Frames of one to eight blocks: what lies behind the new end may begin at any of them.
        let blocks = Int.random(in: 0..<8, using: &random)
        let body = Universe.body(
            number, origin, byteCount: blocks * 4_096 + Int.random(in: 16...900, using: &random))
        let answer = try store.blocking.append(
            Append(
                mailbox,
                producer: Producer(device: Universe.devices[device], clientSequence: client),
                body: body))
        guard let sequence = answer.sequence, !answer.isDuplicate else {
            return "a new message is taken for a duplicate"
        }
        let head = try store.head(mailbox)
        guard sequence == head.max else { return "the new message is not the newest" }
        let page = try store.read(
            mailbox, after: sequence - 1, through: nil, limit: PageLimit(messages: 10))
        guard let message = page.messages.first, message.body.count == body.count,
            Universe.origin(message, mailbox: number) == origin
        else { return "the new message cannot be read" }
        if history.mailboxes[number].sent[device] < client {
            history.mailboxes[number].sent[device] = client
        }
        // Without a sync that was waited for, what is new may go again: only a checkpoint binds it.
        if durability == .commit {
            history.mailboxes[number].learn(sequence, origin)
            history.mailboxes[number].accepted[device] = client
        }
        return nil
    }
}
