import ClientWire
import GRDB
import Mailbox
import SwiftProtobuf

extension ClientCore {
    /// Most messages of one lane in one turn: receivers share the room.
    private static let turnMessagesMaximum = 64

    // MARK: Sending

    /// Sends what waits, receiver by receiver, as far as there is room.
    func pumpOutbox(_ db: Database) throws {
        resumePaused()
        var toAsk: [Int64] = []
        var isMoving = true
        while isMoving, let turn = link?.work, !turn.isEmpty {
            isMoving = false
            link?.work = []
            for conversation in turn {
                link?.lanes[conversation]?.isQueued = false
                if try serve(conversation, &toAsk, db) { isMoving = true }
            }
        }
        for start in stride(from: 0, to: toAsk.count, by: 1_000) {
            try ask(Array(toAsk[start..<min(start + 1_000, toAsk.count)]), db)
        }
    }

    private func resumePaused() {
        guard let paused = link?.paused, !paused.isEmpty else { return }
        link?.paused = []
        for conversation in paused {
            if let until = link?.lanes[conversation]?.pausedUntil, until > now {
                link?.paused.append(conversation)
            } else {
                link?.enqueue(conversation)
            }
        }
    }

    /// Does the next thing for one lane.
    ///
    /// - Returns: true when there may be more to do at once.
    private func serve(_ conversation: Int64, _ toAsk: inout [Int64], _ db: Database) throws -> Bool
    {
        guard var lane = link?.lanes[conversation] else { return false }
        switch lane.mode {
        case .asking: return false
        case .settling, .unknown:
            guard lane.inFlight == 0, !lane.isAsked else { return false }
            lane.mode = .unknown
            if lane.pausedUntil > now {
                link?.lanes[conversation] = lane
                link?.paused.append(conversation)
                return false
            }
            lane.mode = .asking
            lane.isAsked = true
            link?.lanes[conversation] = lane
            toAsk.append(conversation)
            return false
        case .open: return try sendNext(conversation, &lane, db)
        }
    }

    private var sendRoom: Int {
        guard let link, now >= link.sendingPausedUntil else { return 0 }
        // Requests of the inbox and the session need room, too.
        let maximum = min(
            configuration.sendsInFlightMaximum, max(1, link.requestsMaximum - 16),
            Int(link.sendWindow))
        guard link.sendBytesInFlight < configuration.sendBytesInFlightMaximum else { return 0 }
        return max(0, maximum - link.sendsInFlight)
    }

    private func sendNext(_ conversation: Int64, _ lane: inout Lane, _ db: Database) throws -> Bool
    {
        guard let device = link?.device.id, let epoch = link?.epoch else { return false }
        let room = min(Self.turnMessagesMaximum, sendRoom)
        guard room > 0 else {
            link?.enqueue(conversation)
            return false
        }
        let peer = try InboxTable.find(conversation, db)?.peer
        var rows = try OutboxTable.queued(
            device: device, conversation: conversation, from: lane.next, limit: room, db)
        if let through = lane.verifyThrough { rows.removeAll { $0.clientSequence > through } }
        let wasFull = rows.count == room
        let first = lane.next
        for row in rows {
            // A hole in the numbers is no case that is known; verified rows may be sparse.
            guard row.clientSequence == lane.next || lane.verifyThrough != nil else { break }
            guard row.body.count <= link?.bodyBytesMaximum ?? 0 || link?.bodyBytesMaximum == 0
            else {
                guard lane.verifyThrough == nil else {
                    lane.next = row.clientSequence &+ 1
                    continue
                }
                lane.poison = Lane.Poison(
                    id: row.id, clientSequence: row.clientSequence, reason: .messageTooLarge,
                    text: "the body is larger than the server takes")
                lane.mode = .settling
                break
            }
            let sent = Link.Sent(
                id: row.id, clientSequence: row.clientSequence, wasSent: row.wasSent,
                bytes: row.body.count)
            request(.send(conversation: conversation, sent)) { frame in
                frame.send = .with {
                    $0.receiver = peer ?? ""
                    $0.clientSequence = row.clientSequence
                    $0.body = row.body
                }
            }
            lane.inFlight += 1
            lane.next = row.clientSequence &+ 1
            link?.sendsInFlight += 1
            link?.sendBytesInFlight += row.body.count
            if sendRoom == 0 { break }
        }
        if lane.next > first, lane.verifyThrough == nil {
            try OutboxTable.markSent(
                device: device, conversation: conversation, from: first, through: lane.next - 1,
                epoch: epoch, db)
        }
        link?.lanes[conversation] = lane
        if lane.mode == .settling, lane.inFlight == 0 { link?.enqueue(conversation) }
        if lane.verifyThrough != nil, rows.isEmpty, lane.inFlight == 0 {
            return try !finishVerification(conversation, db)
        }
        guard wasFull || sendRoom == 0 else { return lane.mode == .settling }
        link?.enqueue(conversation)
        return wasFull && sendRoom > 0
    }

    // MARK: Answers

    private func landed(_ sent: Link.Sent, _ conversation: Int64) {
        link?.sendsInFlight -= 1
        link?.sendBytesInFlight -= sent.bytes
        link?.lanes[conversation]?.inFlight -= 1
        link?.enqueue(conversation)
    }

    func accepted(
        _ accepted: Mailbox_Client_V1_Accepted, _ sent: Link.Sent, _ conversation: Int64,
        _ db: Database
    ) throws {
        landed(sent, conversation)
        guard let device = link?.device.id, let lane = link?.lanes[conversation] else { return }
        activity.accepted += 1
        if accepted.isDuplicate {
            activity.duplicates += 1
            if lane.verifyThrough != nil, accepted.sequence == 0 { return }
            if lane.verifyThrough == nil, !sent.wasSent, !accepted.wasResent {
                // Somebody else has numbered by this device's name.
                try OutboxTable.doubt(
                    device: device, conversation: conversation, from: sent.clientSequence, db)
                link?.lanes[conversation]?.mode = .settling
                if accepted.sequence == 0 { return }
            }
        }
        let sequence = accepted.sequence == 0 ? nil : accepted.sequence
        try OutboxTable.accept(sent.id, sequence: sequence, epoch: accepted.epoch, db)
        if lane.verifyThrough == nil {
            try OutboxTable.noteAccepted(
                device: device, conversation: conversation, through: sent.clientSequence, db)
        }
        link?.lanes[conversation]?.failures = 0
        link?.widenSendWindow(configuration.sendsInFlightMaximum)
        settle(sent.id, .accepted(sequence))
        if sequence == SequenceNumber.max {
            say(.sequenceExhausted(peer: try InboxTable.find(conversation, db)?.peer ?? ""))
        }
    }

    func refused(
        _ refused: Mailbox_Client_V1_Refused, _ sent: Link.Sent, _ conversation: Int64,
        _ db: Database
    ) throws {
        landed(sent, conversation)
        guard let device = link?.device.id, var lane = link?.lanes[conversation] else { return }
        let isVerifying = lane.verifyThrough != nil
        switch refused.code {
        case .producerConflict:
            guard !isVerifying else { return }
            try OutboxTable.doubt(
                device: device, conversation: conversation, from: sent.clientSequence, db)
            lane.renewal = .conflict
            lane.mode = .settling
        case .producerGap: lane.mode = .settling
        case .invalidArgument, .messageTooLarge, .sequenceExhausted, .forbidden:
            // Not comparable: it waits on, and is refused under the new name.
            guard !isVerifying else { return }
            lane.mode = .settling
            let isFirst = lane.poison.map { sent.clientSequence < $0.clientSequence } ?? true
            guard isFirst else { break }
            lane.poison = Lane.Poison(
                id: sent.id, clientSequence: sent.clientSequence,
                reason: RefusalReason(rawValue: refused.code.rawValue) ?? .invalidArgument,
                text: refused.message)
        default:
            // Those that were under way with the first one say nothing new.
            if refused.code == .overloaded, lane.mode == .open, let link,
                now >= link.sendingPausedUntil
            {
                let rest = configuration.timing.backoffInitialMilliseconds
                let wait = max(
                    Int64(refused.retryAfterMilliseconds),
                    Int64.random(in: max(1, rest)...max(1, 2 * rest), using: &random))
                self.link?.slowDown(until: now + wait)
            }
            link?.lanes[conversation] = lane
            pause(conversation, after: refused)
            return
        }
        link?.lanes[conversation] = lane
    }

    /// A lane rests; then the server's number is asked for.
    func pause(_ conversation: Int64, after refused: Mailbox_Client_V1_Refused) {
        guard var lane = link?.lanes[conversation] else { return }
        let bound = min(
            configuration.timing.backoffMaximumMilliseconds,
            configuration.timing.backoffInitialMilliseconds << min(lane.failures, 20))
        let wait =
            refused.hasRetryAfterMilliseconds
            ? Int64(refused.retryAfterMilliseconds)
            : Int64.random(in: 0...max(1, bound), using: &random)
        lane.pausedUntil = max(lane.pausedUntil, now + max(1, wait))
        if lane.mode != .settling { lane.failures += 1 }
        lane.mode = .settling
        link?.lanes[conversation] = lane
        link?.enqueue(conversation)
    }

    /// This device goes on under a new name: numbers of the old one are not its own any more.
    func renew(_ reason: IdentityRenewal, _ db: Database) throws {
        guard let device = link?.device, try DeviceTable.current(db) == device else { return }
        try DeviceTable.add(random.name(), db)
        say(.identityRenewed(reason))
    }

    /// What the server could not be shown to have goes on under the new name.
    ///
    /// What waits above the server's number, the copy may be sending just now. Under the new name
    /// it would come twice; so it goes under the old one as well. One at a time: where the copy has
    /// another message under a number, what is behind it must not be stored in front of it.
    ///
    /// - Returns: false when one more is to be sent under the old name.
    private func finishVerification(_ conversation: Int64, _ db: Database) throws -> Bool {
        guard let device = link?.device.id, let through = link?.lanes[conversation]?.verifyThrough
        else { return true }
        let first = try OutboxTable.queued(
            device: device, conversation: conversation, from: 1, limit: 1, db
        ).first
        if let first, first.clientSequence == through &+ 1 {
            link?.lanes[conversation]?.verifyThrough = first.clientSequence
            link?.lanes[conversation]?.next = first.clientSequence
            link?.enqueue(conversation)
            return false
        }
        try moveWaiting(conversation, from: 1, db)
        link?.lanes[conversation]?.verifyThrough = nil
        return true
    }

    /// Messages of a lane that wait are numbered anew by the current device, which is another one.
    func moveWaiting(_ conversation: Int64, from: ClientSequence, _ db: Database) throws {
        guard let device = link?.device.id else { return }
        let current = try DeviceTable.current(db)
        let rows = try OutboxTable.waitingRows(
            device: device, conversation: conversation, from: from, db)
        try OutboxTable.move(
            from: device, to: current.id, conversation: conversation, rows: rows, db)
    }
}
