import Foundation
import GRDB
import Mailbox

/// What an app reads: messages and conversations.
enum HistoryTable {
    private static let columns = """
        m.id AS id, c.peer AS peer, m.state AS state, m.sequence AS sequence,
        m.timestamp AS timestamp, m.reason AS reason, m.body AS body
        """

    private static func message(_ row: Row) -> StoredMessage {
        let sequence: SequenceNumber? = row["sequence"]
        let direction: StoredMessage.Direction
        switch row["state"] as Int {
        case ClientSchema.State.saved: direction = .outgoing(.saved)
        case ClientSchema.State.accepted: direction = .outgoing(.accepted(sequence))
        case ClientSchema.State.refused:
            let reason = (row["reason"] as Int?).flatMap(RefusalReason.init)
            direction = .outgoing(.refused(reason ?? .invalidArgument))
        case ClientSchema.State.unconfirmed: direction = .incoming(isConfirmed: false)
        default: direction = .incoming(isConfirmed: true)
        }
        return StoredMessage(
            id: row["id"], peer: row["peer"], direction: direction, sequence: sequence,
            timestampMilliseconds: row["timestamp"], body: Array(row["body"] as Data))
    }

    /// One message.
    static func message(_ id: Int64, _ db: Database) throws -> StoredMessage? {
        try db.row(
            """
            SELECT \(columns) FROM message AS m JOIN conversation AS c ON c.id = m.conversation
            WHERE m.id = ?
            """, [id]
        ).map(message)
    }

    /// A page of a conversation, newest first.
    static func page(
        peer: String, before: Int64, limit: Int, _ db: Database
    ) throws -> [StoredMessage] {
        try db.rows(
            """
            SELECT \(columns) FROM message AS m JOIN conversation AS c ON c.id = m.conversation
            WHERE m.conversation = (SELECT id FROM conversation WHERE peer = ?) AND m.id < ?
            ORDER BY m.id DESC LIMIT ?
            """, [peer, before, limit]
        ).map(message)
    }

    /// Incoming messages that are not confirmed, in the order in which they were stored.
    static func unconfirmed(after: Int64, limit: Int, _ db: Database) throws -> [StoredMessage] {
        try db.rows(
            """
            SELECT \(columns) FROM message AS m JOIN conversation AS c ON c.id = m.conversation
            WHERE m.state = 3 AND m.id > ? ORDER BY m.id LIMIT ?
            """, [after, limit]
        ).map(message)
    }

    /// Messages that were refused for good, newest first.
    static func refused(limit: Int, _ db: Database) throws -> [StoredMessage] {
        try db.rows(
            """
            SELECT \(columns) FROM message AS m JOIN conversation AS c ON c.id = m.conversation
            WHERE m.state = 2 ORDER BY m.id DESC LIMIT ?
            """, [limit]
        ).map(message)
    }

    /// Confirms incoming messages of one peer through a number of the local database.
    static func confirm(peer: String, through id: Int64, _ db: Database) throws {
        try db.run(
            """
            UPDATE message SET state = 4 WHERE state = 3 AND id <= ?
            AND conversation = (SELECT id FROM conversation WHERE peer = ?)
            """, [id, peer])
        try db.run(
            "UPDATE conversation SET unread = max(0, unread - ?) WHERE peer = ?",
            [db.changesCount, peer])
    }

    /// Removes a message that was refused.
    static func discard(_ id: Int64, _ db: Database) throws -> Bool {
        try db.run("DELETE FROM message WHERE id = ? AND state = 2", [id])
        guard db.changesCount > 0 else { return false }
        try db.run("UPDATE client SET discarded = max(discarded, ?)", [id])
        return true
    }

    /// Conversations, those with the newest messages first.
    static func conversations(limit: Int, offset: Int, _ db: Database) throws -> [Conversation] {
        try db.rows(
            """
            SELECT peer, cursor, max(head_max, cursor) AS head_max, unread, coalesce(
                (SELECT max(m.id) FROM message AS m WHERE m.conversation = c.id), 0) AS newest
            FROM conversation AS c ORDER BY newest DESC, id LIMIT ? OFFSET ?
            """, [limit, offset]
        ).map { row in
            Conversation(
                peer: row["peer"], heldSequence: row["cursor"], newestSequence: row["head_max"],
                unreadCount: row["unread"], newestMessage: try message(row["newest"], db))
        }
    }

    static func statistics(
        waiting: Int, _ activity: ClientActivity, _ db: Database
    ) throws -> ClientStatistics {
        ClientStatistics(
            waitingCount: waiting,
            refusedCount: Int(try db.number("SELECT count(*) FROM message WHERE state = 2")),
            unconfirmedCount: Int(try db.number("SELECT count(*) FROM message WHERE state = 3")),
            conversationCount: Int(try db.number("SELECT count(*) FROM conversation")),
            acceptedCount: activity.accepted, duplicateCount: activity.duplicates,
            receivedCount: activity.received, droppedCount: activity.dropped,
            connectionCount: activity.connections, device: try DeviceTable.current(db).name)
    }
}
