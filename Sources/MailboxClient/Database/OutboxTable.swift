import Foundation
import GRDB
import Mailbox

/// What this database sends: messages with their numbers, and how far each lane is.
///
/// A lane is one device's numbering in one conversation: `next` is the number for the next
/// message; `sent` the highest that may have left this machine; `accepted` the highest that a
/// server said is stored. Invariants: the numbers of saved and accepted messages are contiguous
/// through `next - 1`, and accepted ones come before saved ones.
enum OutboxTable {
    /// A message that waits.
    struct Queued {
        let id: Int64
        let clientSequence: ClientSequence
        /// True when it may have left this machine before.
        let wasSent: Bool
        let body: Data
    }

    /// How far a lane is.
    struct Progress {
        var next: Int64
        var sent: Int64
        var accepted: Int64
    }

    /// Saves a message, and gives it its number, in the caller's transaction.
    ///
    /// - Returns: the message's row.
    static func save(
        _ body: Data, conversation: Int64, device: Int64, now: Int64, _ db: Database
    ) throws -> Int64 {
        let next = try progress(device: device, conversation: conversation, db).next
        // The very last number is left out, so that "the next one" is always a number.
        guard next < Int64(ClientSequence.max) else {
            throw ClientError(
                code: .sequenceExhausted,
                message: "this device has numbered its last message to this receiver")
        }
        try db.run(
            """
            INSERT INTO message
                (id, conversation, state, device, client_sequence, timestamp, body)
            VALUES (\(ClientSchema.nextMessage), ?, 0, ?, ?, ?, ?)
            """, [conversation, device, next, now, body])
        let id = db.lastInsertedRowID
        try setNext(next + 1, device: device, conversation: conversation, db)
        return id
    }

    static func progress(device: Int64, conversation: Int64, _ db: Database) throws -> Progress {
        let row = try db.row(
            "SELECT next, sent, accepted FROM lane WHERE device = ? AND conversation = ?",
            [device, conversation])
        return Progress(
            next: row?["next"] ?? 1, sent: row?["sent"] ?? 0, accepted: row?["accepted"] ?? 0)
    }

    private static func setNext(
        _ next: Int64, device: Int64, conversation: Int64, _ db: Database
    ) throws {
        try db.run(
            """
            INSERT INTO lane (device, conversation, next) VALUES (?, ?, ?)
            ON CONFLICT (device, conversation) DO UPDATE SET next = excluded.next
            """, [device, conversation, next])
    }

    /// The server's history is another one: every number that it accepted is asked for again.
    static func forgetChecks(_ db: Database) throws {
        try db.run("UPDATE lane SET checked = 0 WHERE accepted > 0")
    }

    /// A lane's number was asked for in this epoch.
    static func noteChecked(device: Int64, conversation: Int64, _ db: Database) throws {
        try db.run(
            "UPDATE lane SET checked = 1 WHERE device = ? AND conversation = ? AND checked = 0",
            [device, conversation])
    }

    /// What this database sent under a number is not what the server has: nothing from there on
    /// counts as sent, so that the server's number is ahead until the lane is settled.
    static func doubt(
        device: Int64, conversation: Int64, from: ClientSequence, _ db: Database
    ) throws {
        try db.run(
            "UPDATE lane SET sent = min(sent, ?) WHERE device = ? AND conversation = ?",
            [Int64(from) - 1, device, conversation])
    }

    /// The mailbox takes no more: everything that waits from a number on is set aside.
    ///
    /// - Returns: those messages.
    static func refuseAll(
        device: Int64, conversation: Int64, from: ClientSequence, text: String, _ db: Database
    ) throws -> [Int64] {
        let rows = try waitingRows(device: device, conversation: conversation, from: from, db)
        for id in rows {
            try refuse(id, reason: RefusalReason.sequenceExhausted.rawValue, text: text, db)
        }
        try db.run(
            "UPDATE lane SET next = ?, sent = min(sent, ?) WHERE device = ? AND conversation = ?",
            [from, Int64(from) - 1, device, conversation])
        return rows
    }

    /// The conversations in which messages of a device wait, or whose number is to be asked for.
    static func conversations(waitingFor device: Int64, _ db: Database) throws -> [Int64] {
        try db.rows(
            """
            SELECT conversation FROM lane WHERE device = ? AND (checked = 0 OR EXISTS (
                SELECT 1 FROM message AS m WHERE m.device = lane.device
                AND m.conversation = lane.conversation AND m.state = 0))
            ORDER BY conversation
            """, [device]
        ).map { $0["conversation"] }
    }

    /// Messages that wait, from a number on, in order.
    static func queued(
        device: Int64, conversation: Int64, from: ClientSequence, limit: Int, _ db: Database
    ) throws -> [Queued] {
        try db.rows(
            """
            SELECT id, client_sequence, sent_epoch IS NOT NULL AS was_sent, body FROM message
            WHERE state = 0 AND device = ? AND conversation = ? AND client_sequence >= ?
            ORDER BY client_sequence LIMIT ?
            """, [device, conversation, from, limit]
        ).map {
            Queued(
                id: $0["id"], clientSequence: $0["client_sequence"], wasSent: $0["was_sent"],
                body: $0["body"])
        }
    }

    /// Notes, before they leave, that messages through a number may be stored by the server.
    static func markSent(
        device: Int64, conversation: Int64, from: ClientSequence, through: ClientSequence,
        epoch: UInt64, _ db: Database
    ) throws {
        try db.run(
            """
            UPDATE message SET sent_epoch = ? WHERE state = 0 AND device = ? AND conversation = ?
            AND client_sequence BETWEEN ? AND ? AND sent_epoch IS NULL
            """, [epoch.stored, device, conversation, from, through])
        try db.run(
            "UPDATE lane SET sent = max(sent, ?) WHERE device = ? AND conversation = ?",
            [through, device, conversation])
    }

    /// Notes that the server has a message.
    static func accept(
        _ id: Int64, sequence: SequenceNumber?, epoch: UInt64, _ db: Database
    ) throws {
        try db.run(
            "UPDATE message SET state = 1, sequence = ?, epoch = ? WHERE id = ? AND state = 0",
            [sequence, epoch.stored, id])
    }

    /// Notes how far the server is with a lane.
    static func noteAccepted(
        device: Int64, conversation: Int64, through: ClientSequence, _ db: Database
    ) throws {
        try db.run(
            "UPDATE lane SET accepted = max(accepted, ?) WHERE device = ? AND conversation = ?",
            [through, device, conversation])
    }

    /// Notes that the server has all messages through a number.
    ///
    /// - Returns: those that were waiting.
    static func accept(
        device: Int64, conversation: Int64, through: ClientSequence, epoch: UInt64, _ db: Database
    ) throws -> [Int64] {
        let ids: [Int64] = try db.rows(
            """
            UPDATE message SET state = 1, epoch = ? WHERE state = 0 AND device = ?
            AND conversation = ? AND client_sequence <= ? RETURNING id
            """, [epoch.stored, device, conversation, through]
        ).map { $0["id"] }
        try noteAccepted(device: device, conversation: conversation, through: through, db)
        return ids.sorted()
    }

    /// A restored server has forgotten what it accepted: everything above its number waits again.
    /// It goes through the conversation's history, which no index helps with: this is rare.
    ///
    /// - Returns: how many messages, and whether all of them are still here.
    static func requeue(
        device: Int64, conversation: Int64, above: ClientSequence, accepted: Int64, _ db: Database
    ) throws -> (count: Int, isComplete: Bool) {
        try db.run(
            """
            UPDATE message SET state = 0, sequence = NULL, epoch = NULL WHERE state = 1
            AND device = ? AND conversation = ? AND client_sequence > ?
            """, [device, conversation, above])
        let count = db.changesCount
        try db.run(
            "UPDATE lane SET accepted = ? WHERE device = ? AND conversation = ?",
            [above, device, conversation])
        // Answers come in any order: below the highest accepted number some may still wait.
        let present = try db.number(
            """
            SELECT count(*) FROM message WHERE state <> 2 AND device = ? AND conversation = ?
            AND client_sequence > ? AND client_sequence <= ?
            """, [device, conversation, above, accepted])
        return (count, present == accepted - Int64(above))
    }

    /// Sets a message aside that the server will never take.
    static func refuse(_ id: Int64, reason: Int, text: String, _ db: Database) throws {
        try db.run(
            "UPDATE message SET state = 2, reason = ?, reason_text = ? WHERE id = ? AND state = 0",
            [reason, text, id])
    }

    /// Whether any message from a number on left this machine in another epoch.
    static func hasForeignEpoch(
        device: Int64, conversation: Int64, from: ClientSequence, epoch: UInt64, _ db: Database
    ) throws -> Bool {
        try db.number(
            """
            SELECT EXISTS (SELECT 1 FROM message WHERE state = 0 AND device = ?
            AND conversation = ? AND client_sequence >= ? AND sent_epoch <> ?)
            """, [device, conversation, from, epoch.stored]) != 0
    }

    /// A message was set aside: those behind it move up by one.
    ///
    /// The caller knows that the server never stored `hole` or anything above it, and never will:
    /// every send of this connection is answered, and the server's number is below.
    static func closeUp(
        device: Int64, conversation: Int64, hole: ClientSequence, _ db: Database
    ) throws {
        let sql =
            """
            UPDATE message SET client_sequence = %, sent_epoch = NULL
            WHERE state = 0 AND device = ? AND conversation = ? AND client_sequence % ?
            """
        // By way of negative numbers: the index is unique, row by row.
        let away = sql.split(separator: "%", omittingEmptySubsequences: false)
        try db.run(
            away[0] + "-client_sequence" + away[1] + ">" + away[2], [device, conversation, hole])
        try db.run(
            away[0] + "-client_sequence - 1" + away[1] + "<" + away[2], [device, conversation, 0])
        try db.run(
            """
            UPDATE lane SET next = next - 1, sent = min(sent, ?)
            WHERE device = ? AND conversation = ?
            """, [Int64(hole) - 1, device, conversation])
    }

    /// Messages that wait are numbered anew, in their order, by another device.
    static func move(
        from device: Int64, to other: Int64, conversation: Int64, rows: [Int64], _ db: Database
    ) throws {
        guard !rows.isEmpty else { return }
        var next = try progress(device: other, conversation: conversation, db).next
        for id in rows {
            guard next < Int64(ClientSequence.max) else {
                try refuse(
                    id, reason: RefusalReason.sequenceExhausted.rawValue,
                    text: "this device has numbered its last message to this receiver", db)
                continue
            }
            try db.run(
                """
                UPDATE message SET device = ?, client_sequence = ?, sent_epoch = NULL
                WHERE id = ?
                """, [other, next, id])
            next += 1
        }
        try setNext(next, device: other, conversation: conversation, db)
    }

    /// The rows of a lane that wait, in order, from a number on.
    static func waitingRows(
        device: Int64, conversation: Int64, from: ClientSequence, _ db: Database
    ) throws -> [Int64] {
        try db.rows(
            """
            SELECT id FROM message WHERE state = 0 AND device = ? AND conversation = ?
            AND client_sequence >= ? ORDER BY client_sequence
            """, [device, conversation, from]
        ).map { $0["id"] }
    }
}
