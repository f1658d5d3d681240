import Foundation
import GRDB
import Mailbox

/// What this database received: conversations with their cursors, and messages.
enum InboxTable {
    /// What is held of one sender.
    struct Conversation {
        let id: Int64
        let peer: String
        /// Everything through it is held, or was confirmed by another device of the account.
        var cursor: SequenceNumber
        /// The epoch of the cursor; nil when nothing was ever received.
        var epoch: UInt64?
        /// The server's watermark, as far as it is known.
        var acknowledged: SequenceNumber

        init(_ row: Row) {
            id = row["id"]
            peer = row["peer"]
            cursor = row["cursor"]
            epoch = (row["epoch"] as Int64?).map { UInt64(stored: $0) }
            acknowledged = row["acknowledged"]
        }
    }

    /// A message as it came.
    struct Received {
        let sequence: SequenceNumber
        let timestamp: Int64
        let device: String
        let clientSequence: ClientSequence
        let body: Data
    }

    private static let columns = "id, peer, cursor, epoch, acknowledged"

    static func find(_ peer: String, _ db: Database) throws -> Conversation? {
        try db.row("SELECT \(columns) FROM conversation WHERE peer = ?", [peer])
            .map(Conversation.init)
    }

    static func find(_ id: Int64, _ db: Database) throws -> Conversation? {
        try db.row("SELECT \(columns) FROM conversation WHERE id = ?", [id]).map(Conversation.init)
    }

    static func findOrAdd(_ peer: String, _ db: Database) throws -> Conversation {
        if let found = try find(peer, db) { return found }
        try db.run("INSERT INTO conversation (peer) VALUES (?)", [peer])
        guard let added = try find(peer, db) else {
            throw ClientError(
                code: .database, message: "a conversation that was added is not there")
        }
        return added
    }

    /// Conversations whose cursor the server has not heard, or that are of another epoch.
    static func unheard(epoch: UInt64, limit: Int, _ db: Database) throws -> [Conversation] {
        try db.rows(
            """
            SELECT \(columns) FROM conversation WHERE cursor > acknowledged AND epoch = ?
            ORDER BY id LIMIT ?
            """, [epoch.stored, limit]
        ).map(Conversation.init)
    }

    /// Stores messages that come after the cursor, and the cursor, in the caller's transaction.
    ///
    /// - Returns: how many were new.
    static func store(
        _ messages: [Received], epoch: UInt64, in conversation: inout Conversation,
        _ db: Database
    ) throws -> Int {
        var stored = 0
        for message in messages {
            if try !isHeld(message, in: conversation.id, db) {
                try db.run(
                    """
                    INSERT INTO message (id, conversation, state, sender_device,
                        client_sequence, sequence, epoch, timestamp, body)
                    VALUES (\(ClientSchema.nextMessage), ?, 3, ?, ?, ?, ?, ?, ?)
                    """,
                    [
                        conversation.id, message.device.isEmpty ? nil : message.device,
                        message.device.isEmpty ? nil : message.clientSequence, message.sequence,
                        epoch.stored, message.timestamp, message.body,
                    ])
                stored += 1
            }
            conversation.cursor = message.sequence
        }
        conversation.epoch = epoch
        try setCursor(conversation, db)
        if stored > 0 {
            try db.run(
                "UPDATE conversation SET unread = unread + ? WHERE id = ?",
                [stored, conversation.id])
        }
        return stored
    }

    /// Whether a message is held, from this epoch or another one: by its identity (device, client
    /// sequence), or, when its sender gave it none, by sequence, time and bytes.
    private static func isHeld(
        _ message: Received, in conversation: Int64, _ db: Database
    ) throws -> Bool {
        if !message.device.isEmpty {
            return try db.number(
                """
                SELECT EXISTS (SELECT 1 FROM message WHERE state >= 3 AND conversation = ?
                AND sender_device = ? AND client_sequence = ?)
                """, [conversation, message.device, message.clientSequence]) != 0
        }
        return try db.number(
            """
            SELECT EXISTS (SELECT 1 FROM message WHERE state >= 3 AND conversation = ?
            AND sender_device IS NULL AND client_sequence IS NULL
            AND sequence = ? AND timestamp = ? AND body = ?)
            """, [conversation, message.sequence, message.timestamp, message.body]) != 0
    }

    /// Writes a conversation's cursor.
    static func setCursor(_ conversation: Conversation, _ db: Database) throws {
        try db.run(
            """
            UPDATE conversation SET cursor = ?, epoch = ?, acknowledged = ?,
            head_max = max(head_max, ?) WHERE id = ?
            """,
            [
                conversation.cursor, conversation.epoch?.stored, conversation.acknowledged,
                conversation.cursor, conversation.id,
            ])
    }

    /// Notes the server's watermark and newest sequence.
    static func noteHead(
        acknowledged: SequenceNumber, max: SequenceNumber, in conversation: Int64, _ db: Database
    ) throws {
        try db.run(
            "UPDATE conversation SET acknowledged = ?, head_max = ? WHERE id = ?",
            [acknowledged, max, conversation])
    }

    /// The server took a cursor.
    static func noteHeard(
        _ cursor: SequenceNumber, in conversation: Int64, _ db: Database
    ) throws {
        try db.run(
            """
            UPDATE conversation SET acknowledged = ?1
            WHERE id = ?2 AND acknowledged < ?1 AND cursor >= ?1
            """, [cursor, conversation])
    }

    /// Every conversation begins at 0 in a new epoch: what comes again is dropped by its identity.
    ///
    /// - Returns: how many held a cursor of another epoch.
    static func resynchronise(to epoch: UInt64, _ db: Database) throws -> Int {
        try db.run(
            """
            UPDATE conversation SET cursor = 0, epoch = NULL, acknowledged = 0, head_max = 0
            WHERE epoch IS NOT NULL AND epoch <> ?
            """, [epoch.stored])
        return db.changesCount
    }

    /// One conversation begins at 0.
    static func resynchronise(_ conversation: Int64, _ db: Database) throws {
        try db.run(
            """
            UPDATE conversation SET cursor = 0, epoch = NULL, acknowledged = 0, head_max = 0
            WHERE id = ?
            """, [conversation])
    }
}
