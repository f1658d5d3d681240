import ClientWire
import GRDB
import Mailbox
import SwiftProtobuf

extension ClientCore {
    /// Asks for the server's numbers.
    func ask(_ conversations: [Int64], _ db: Database) throws {
        var known: [Int64] = []
        var peers: [String] = []
        for conversation in conversations {
            // One that is not there was never saved.
            guard let peer = try InboxTable.find(conversation, db)?.peer else {
                link?.lanes[conversation] = nil
                continue
            }
            known.append(conversation)
            peers.append(peer)
        }
        guard !known.isEmpty else { return }
        request(.sendStates(known)) { frame in
            frame.getSendStates = .with { $0.receivers = peers }
        }
    }

    /// Goes by the server's numbers: only what is greater is sent again.
    func take(
        _ states: Mailbox_Client_V1_SendStates, of conversations: [Int64], _ db: Database
    ) throws {
        guard states.states.count == conversations.count else {
            return try violation("numbers of other receivers than were asked for", db)
        }
        for (conversation, state) in zip(conversations, states.states) {
            guard let lane = link?.lanes[conversation] else { continue }
            link?.lanes[conversation]?.isAsked = false
            guard lane.mode == .asking else {
                // The number was wanted anew meanwhile: this one may be of before.
                link?.enqueue(conversation)
                continue
            }
            try resume(conversation, last: state.lastClientSequence, db)
        }
    }

    /// The server has everything of this lane through `last`.
    private func resume(_ conversation: Int64, last: ClientSequence, _ db: Database) throws {
        guard let link, var lane = link.lanes[conversation] else { return }
        let device = link.device.id
        let progress = try OutboxTable.progress(device: device, conversation: conversation, db)
        try OutboxTable.noteChecked(device: device, conversation: conversation, db)
        lane.mode = .open
        lane.pausedUntil = 0
        defer { self.link?.enqueue(conversation) }
        if Int64(last) > progress.sent {
            // Numbers that this database never sent: a copy of it did. What waits may be the copy's
            // as well as not; the server compares.
            try renew(lane.renewal, db)
            lane.renewal = .ahead
            lane.poison = nil
            lane.verifyThrough = last
            lane.next = 1
            self.link?.lanes[conversation] = lane
            return
        }
        for id in try OutboxTable.accept(
            device: device, conversation: conversation, through: last, epoch: link.epoch, db)
        {
            settle(id, .accepted(nil))
        }
        lane.next = last &+ 1
        let poison = lane.poison
        lane.poison = nil
        self.link?.lanes[conversation] = lane
        if Int64(last) < progress.accepted {
            try sendAgain(conversation, above: last, accepted: progress.accepted, db)
        } else if let poison, poison.clientSequence == last &+ 1 {
            try setAside(poison, conversation, accepted: progress.accepted, db)
        }
    }

    /// The server has forgotten what it accepted: it was restored from a backup.
    private func sendAgain(
        _ conversation: Int64, above last: ClientSequence, accepted: Int64, _ db: Database
    ) throws {
        guard let device = link?.device.id else { return }
        let (count, isComplete) = try OutboxTable.requeue(
            device: device, conversation: conversation, above: last, accepted: accepted, db)
        unsettle(count)
        say(.sentAgain(peer: try InboxTable.find(conversation, db)?.peer ?? "", count: count))
        guard !isComplete else { return }
        // Their numbers cannot be given to others: receivers that have them would drop those.
        try renew(.forgotten, db)
        try moveWaiting(conversation, from: last &+ 1, db)
    }

    /// A message that the server refused for good, and does not have, leaves the queue.
    private func setAside(
        _ poison: Lane.Poison, _ conversation: Int64, accepted: Int64, _ db: Database
    ) throws {
        guard let link else { return }
        let peer = try InboxTable.find(conversation, db)?.peer ?? ""
        let device = link.device.id
        let hole = poison.clientSequence
        if poison.reason == .sequenceExhausted {
            for id in try OutboxTable.refuseAll(
                device: device, conversation: conversation, from: hole, text: poison.text, db)
            {
                settle(id, .refused(.sequenceExhausted))
                say(.refused(message: id, peer: peer, reason: .sequenceExhausted))
            }
            say(.sequenceExhausted(peer: peer))
            return
        }
        let isForeign = try OutboxTable.hasForeignEpoch(
            device: device, conversation: conversation, from: hole, epoch: link.epoch, db)
        try OutboxTable.refuse(poison.id, reason: poison.reason.rawValue, text: poison.text, db)
        settle(poison.id, .refused(poison.reason))
        say(.refused(message: poison.id, peer: peer, reason: poison.reason))
        if isForeign || accepted >= Int64(hole) {
            // Receivers may have a message of that number from before a restore.
            try renew(.refusedAcrossEpochs, db)
            try moveWaiting(conversation, from: hole, db)
        } else {
            try OutboxTable.closeUp(device: device, conversation: conversation, hole: hole, db)
        }
    }
}
