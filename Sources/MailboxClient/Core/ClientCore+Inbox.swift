import ClientWire
import GRDB
import Mailbox
import SwiftProtobuf

extension ClientCore {
    private static let receivingInFlightMaximum = 8
    private static let syncCursorsMaximum = 1_000

    // MARK: Asking

    /// Asks for what is missing, and confirms what is stored.
    func pumpInbox(_ db: Database) throws {
        guard let link, now >= link.receivingPausedUntil else { return }
        if link.needsSync {
            if !link.isSyncing { try sync(db) }
            return
        }
        guard !link.isSyncing, !link.receivingWork.isEmpty else { return }
        let work = link.receivingWork
        self.link?.receivingWork = []
        for conversation in work {
            guard var entry = self.link?.receiving[conversation] else { continue }
            guard !entry.isAsking, entry.needsFetch || entry.needsAcknowledge else { continue }
            guard self.link?.receivingInFlight ?? 0 < Self.receivingInFlightMaximum else {
                self.link?.receivingWork.append(conversation)
                continue
            }
            guard let held = try InboxTable.find(conversation, db) else {
                self.link?.receiving[conversation] = nil
                continue
            }
            entry.isAsking = true
            let isFetch = entry.needsFetch
            if isFetch { entry.needsFetch = false }
            // A fetch confirms, too.
            entry.needsAcknowledge = false
            self.link?.receiving[conversation] = entry
            self.link?.receivingInFlight += 1
            if isFetch { fetch(held) } else { acknowledge(held) }
        }
    }

    private func sync(_ db: Database) throws {
        let held = try InboxTable.unheard(
            epoch: link?.epoch ?? 0, limit: Self.syncCursorsMaximum, db)
        link?.needsSync = false
        link?.isSyncing = true
        link?.syncAt = now + configuration.timing.syncMilliseconds
        var cursors: [Int64: SequenceNumber] = [:]
        for conversation in held { cursors[conversation.id] = conversation.cursor }
        request(.sync(cursors, epoch: link?.epoch ?? 0)) { frame in
            frame.sync = .with {
                $0.cursors = held.map { conversation in
                    .with {
                        $0.sender = conversation.peer
                        $0.cursor = Self.cursor(conversation)
                    }
                }
                $0.messagesMaximum = UInt32(configuration.pageMessagesMaximum)
                $0.bytesMaximum = UInt32(configuration.pageBytesMaximum)
            }
        }
    }

    private func fetch(_ conversation: InboxTable.Conversation) {
        request(.fetch(conversation.id)) { frame in
            frame.fetch = .with {
                $0.sender = conversation.peer
                $0.cursor = Self.cursor(conversation)
                $0.messagesMaximum = UInt32(configuration.pageMessagesMaximum)
                $0.bytesMaximum = UInt32(configuration.pageBytesMaximum)
            }
        }
    }

    private func acknowledge(_ conversation: InboxTable.Conversation) {
        request(.acknowledge(conversation.id)) { frame in
            frame.acknowledge = .with {
                $0.sender = conversation.peer
                $0.cursor = Self.cursor(conversation)
            }
        }
    }

    private static func cursor(
        _ conversation: InboxTable.Conversation
    ) -> Mailbox_Client_V1_Cursor {
        .with {
            $0.sequence = conversation.cursor
            $0.epoch = conversation.cursor == 0 ? 0 : conversation.epoch ?? 0
        }
    }

    // MARK: Answers

    private func answered(_ conversation: Int64) {
        link?.receivingInFlight -= 1
        link?.receiving[conversation]?.isAsking = false
        if let entry = link?.receiving[conversation] {
            if entry.needsFetch || entry.needsAcknowledge {
                link?.receivingWork.append(conversation)
            } else {
                link?.receiving[conversation] = nil
            }
        }
    }

    func receive(
        _ messages: Mailbox_Client_V1_Messages, _ conversation: Int64, _ db: Database
    ) throws {
        answered(conversation)
        guard let held = try InboxTable.find(conversation, db), held.peer == messages.sender else {
            return try violation("messages of another sender than was asked for", db)
        }
        try apply(messages, confirms: !messages.hasMore_p, db)
        if messages.hasMore_p { link?.want(fetch: true, conversation) }
    }

    /// - Parameter epoch: what this connection held for the store's epoch when it asked.
    func receive(
        _ inbox: Mailbox_Client_V1_Inbox, _ cursors: [Int64: SequenceNumber], epoch: UInt64,
        _ db: Database
    ) throws {
        link?.isSyncing = false
        if inbox.epoch != 0, inbox.epoch != link?.epoch {
            // Restored since this connection began, and nothing else need ever tell: perhaps the
            // backup lacks what was accepted, and nothing waits. Or an answer of before another one
            // told: then the next one decides.
            if link?.epoch == epoch { try adopt(inbox.epoch, db) }
            link?.needsSync = true
            return
        }
        for (conversation, cursor) in cursors {
            try InboxTable.noteHeard(cursor, in: conversation, db)
        }
        for messages in inbox.mailboxes {
            guard link?.isWelcome == true else { return }
            try apply(messages, confirms: !inbox.hasMore_p, db)
        }
        if inbox.hasMore_p {
            link?.needsSync = true
        } else {
            // More than one sync can name.
            let left = try InboxTable.unheard(
                epoch: link?.epoch ?? 0, limit: Self.syncCursorsMaximum, db)
            for conversation in left { link?.want(acknowledge: true, conversation.id) }
            if link?.isCaughtUp == false, link?.needsSync == false {
                link?.isCaughtUp = true
                say(.caughtUp)
            }
        }
    }

    func receive(_ pushed: Mailbox_Client_V1_Pushed, _ db: Database) throws {
        guard let peer = try peer(pushed.sender, db) else { return }
        var held = try InboxTable.findOrAdd(peer, db)
        let sequence = pushed.message.sequence
        let isSameEpoch = held.epoch == pushed.epoch || (held.epoch == nil && held.cursor == 0)
        guard isSameEpoch, pushed.epoch == link?.epoch else {
            link?.want(fetch: true, held.id)
            return
        }
        guard sequence > held.cursor else { return }
        guard sequence - held.cursor == 1 else {
            link?.want(fetch: true, held.id)
            return
        }
        let count = try InboxTable.store(
            [Self.received(pushed.message)], epoch: pushed.epoch, in: &held, db)
        noteStored(count, of: 1, held)
        link?.want(acknowledge: true, held.id)
    }

    func receive(_ notice: Mailbox_Client_V1_Notice, _ db: Database) throws {
        guard !notice.sender.isEmpty else {
            link?.needsSync = true
            return
        }
        guard let peer = try peer(notice.sender, db) else { return }
        let held = try InboxTable.findOrAdd(peer, db)
        if held.epoch != notice.epoch || notice.maxSequence > held.cursor {
            link?.want(fetch: true, held.id)
        }
    }

    func heard(
        _ acknowledged: Mailbox_Client_V1_Acknowledged, _ conversation: Int64, _ db: Database
    ) throws {
        answered(conversation)
        guard let held = try InboxTable.find(conversation, db) else { return }
        let head = acknowledged.head
        try InboxTable.noteHead(
            acknowledged: min(head.acknowledgedSequence, held.cursor), max: head.maxSequence,
            in: conversation, db)
        if head.maxSequence > held.cursor { link?.want(fetch: true, conversation) }
    }

    /// A cursor was refused, or the server cannot answer now.
    func receivingRefused(
        _ refused: Mailbox_Client_V1_Refused, _ asked: Int64?, _ db: Database
    ) throws {
        if let asked { answered(asked) } else { link?.isSyncing = false }
        let named = refused.peer.isEmpty ? nil : try InboxTable.find(refused.peer, db)?.id
        let conversation = asked ?? named
        switch refused.code {
        case .epochChanged:
            guard refused.currentEpoch != 0 else {
                return try violation("an epoch changed to none", db)
            }
            try adopt(refused.currentEpoch, db)
        case .cursorAhead, .trimmed:
            guard let conversation, let held = try InboxTable.find(conversation, db) else {
                return try violation("a refused cursor without its sender", db)
            }
            if refused.code == .cursorAhead {
                say(
                    .cursorAhead(
                        peer: held.peer, held: held.cursor, newest: refused.maxSequence))
            } else {
                say(.trimmed(peer: held.peer, floor: refused.floor))
            }
            // From 0 the server answers what is not confirmed, with its true numbers.
            try InboxTable.resynchronise(conversation, db)
            link?.want(fetch: true, conversation)
            if asked == nil { link?.needsSync = true }
        case .invalidArgument, .forbidden, .messageTooLarge:
            try violation("a question was refused as malformed", db)
        default:
            let wait =
                refused.hasRetryAfterMilliseconds
                ? Int64(refused.retryAfterMilliseconds)
                : Int64.random(
                    in: 1...max(1, configuration.timing.backoffInitialMilliseconds),
                    using: &random)
            link?.receivingPausedUntil = now + max(1, wait)
            if let conversation {
                link?.want(fetch: true, conversation)
            } else {
                link?.needsSync = true
            }
        }
    }

    /// The epoch changed while the connection lives.
    private func adopt(_ epoch: UInt64, _ db: Database) throws {
        link?.epoch = epoch
        try ClientTable.noteEpoch(epoch, db)
        try changeEpoch(epoch, db)
        for conversation in try OutboxTable.conversations(waitingFor: link?.device.id ?? 0, db) {
            link?.want(lane: conversation)
        }
    }

    // MARK: Storing

    private func peer(_ text: String, _ db: Database) throws -> String? {
        guard let address = try? Address(text) else {
            try violation("a sender that is no address", db)
            return nil
        }
        return address.description
    }

    private static func received(_ message: Mailbox_Client_V1_Message) -> InboxTable.Received {
        InboxTable.Received(
            sequence: message.sequence, timestamp: message.timestampMilliseconds,
            device: message.device, clientSequence: message.clientSequence, body: message.body)
    }

    /// Stores an answer's messages and the cursor: the first is the one after the greater of the
    /// cursor that was asked with and the server's watermark.
    private func apply(
        _ messages: Mailbox_Client_V1_Messages, confirms: Bool, _ db: Database
    ) throws {
        guard let peer = try peer(messages.sender, db) else { return }
        guard messages.epoch != 0 else { return try violation("messages without an epoch", db) }
        var held = try InboxTable.findOrAdd(peer, db)
        if messages.epoch != link?.epoch {
            // Restored while this connection lived, or a late answer of before.
            guard held.epoch == nil else {
                link?.want(fetch: true, held.id)
                return
            }
            try adopt(messages.epoch, db)
        }
        if held.epoch != messages.epoch {
            held.cursor = 0
            held.epoch = nil
        }
        var previous: SequenceNumber?
        for message in messages.messages {
            guard previous.map({ message.sequence == $0 &+ 1 }) ?? (message.sequence > 0) else {
                return try violation("messages with a hole", db)
            }
            previous = message.sequence
        }
        let fresh = messages.messages.filter { $0.sequence > held.cursor }
        let watermark = messages.head.acknowledgedSequence
        let start = fresh.first.map { $0.sequence - 1 } ?? (previous == nil ? watermark : 0)
        if start > held.cursor {
            guard start <= watermark else { return try violation("messages with a hole", db) }
            if held.epoch != nil || held.cursor > 0 {
                say(.receivedElsewhere(peer: peer, after: held.cursor, through: start))
            }
            held.cursor = start
        }
        held.acknowledged = min(watermark, held.cursor)
        let count = try InboxTable.store(
            fresh.map(Self.received), epoch: messages.epoch, in: &held, db)
        try InboxTable.noteHead(
            acknowledged: held.acknowledged, max: messages.head.maxSequence, in: held.id, db)
        noteStored(count, of: fresh.count, held)
        if confirms, held.cursor > held.acknowledged { link?.want(acknowledge: true, held.id) }
    }

    private func noteStored(_ count: Int, of offered: Int, _ held: InboxTable.Conversation) {
        activity.received += count
        activity.dropped += offered - count
        if count > 0 { say(.received(peer: held.peer, count: count)) }
        if offered > 0, held.cursor == SequenceNumber.max {
            say(.sequenceExhausted(peer: held.peer))
        }
    }
}
