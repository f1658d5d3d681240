import GRDB

/// The one row of what belongs to the database as a whole.
enum ClientTable {
    struct State {
        let account: String?
        let epoch: UInt64?
        let session: UInt64
        let bodyBytesMaximum: Int
    }

    static func state(_ db: Database) throws -> State {
        let row = try db.row("SELECT account, epoch, session, body_bytes_maximum FROM client")
        return State(
            account: row?["account"], epoch: (row?["epoch"] as Int64?).map { UInt64(stored: $0) },
            session: UInt64(stored: row?["session"] ?? 0),
            bodyBytesMaximum: row?["body_bytes_maximum"] ?? 0)
    }

    static func note(
        account: String, epoch: UInt64, session: UInt64, bodyBytesMaximum: Int, _ db: Database
    ) throws {
        try db.run(
            "UPDATE client SET account = ?, epoch = ?, session = ?, body_bytes_maximum = ?",
            [account, epoch.stored, session.stored, bodyBytesMaximum])
    }

    static func noteEpoch(_ epoch: UInt64, _ db: Database) throws {
        try db.run("UPDATE client SET epoch = ?", [epoch.stored])
    }
}
