import Foundation
import GRDB

/// A client's SQLite database: one writer, every commit synced.
final class ClientDatabase: Sendable {
    private let queue: DatabaseQueue
    /// True when the file was found to be a copy, and a new device name was taken.
    let wasCopied: Bool
    private let identity: FileIdentity?

    /// Opens the database of a file, and makes it when there is none.
    ///
    /// - Throws: `database`, `databaseTooNew`, `locked`.
    convenience init(path: String, mintName: () -> String) throws(ClientError) {
        var configuration = Configuration()
        configuration.journalMode = .wal
        configuration.busyMode = .immediateError
        configuration.label = "mailbox-client"
        do {
            let queue = try DatabaseQueue(path: path, configuration: configuration)
            try queue.writeWithoutTransaction { db in
                // A second process would give out the same numbers.
                try db.execute(sql: "PRAGMA locking_mode = EXCLUSIVE")
                try db.execute(sql: "PRAGMA fullfsync = 1")
                try db.execute(sql: "PRAGMA checkpoint_fullfsync = 1")
                try db.execute(sql: "PRAGMA synchronous = FULL")
                try db.execute(sql: "BEGIN IMMEDIATE; COMMIT")
            }
            try self.init(queue: queue, identity: FileIdentity(path: path), mintName: mintName)
        } catch {
            throw Self.error(error)
        }
    }

    /// Takes a database that is open: a file, or one in memory for tests.
    ///
    /// - Parameter isCopy: without a file to tell by: whether this is a copy.
    init(
        queue: DatabaseQueue, identity: FileIdentity? = nil, isCopy: Bool = false,
        mintName: () -> String
    ) throws {
        self.queue = queue
        self.identity = identity
        let migrator = ClientSchema.migrator
        guard try !queue.read(migrator.hasBeenSuperseded) else {
            throw ClientError(
                code: .databaseTooNew,
                message: "the database was written by a newer version of this library; update it")
        }
        try migrator.migrate(queue)
        let number = try identity?.number()
        let token = identity?.token()
        var written = FileIdentity.Token(text: token?.text ?? "", generation: 0)
        wasCopied = try queue.write { db in
            let row = try db.row("SELECT file_number, file_token, generation FROM client")
            let generation: Int64 = row?["generation"] ?? 0
            let isFirst = try db.number("SELECT count(*) FROM device") == 0
            var isSame = !isCopy
            if let number {
                isSame = FileIdentity.isSame(
                    number: number, token: token, expectedNumber: row?["file_number"],
                    expectedToken: row?["file_token"], generation: generation)
            }
            if isFirst || !isSame { try DeviceTable.add(mintName(), db) }
            let text = isSame && !isFirst ? token?.text ?? mintName() : mintName()
            written = FileIdentity.Token(text: text, generation: generation + 1)
            try db.run(
                "UPDATE client SET file_number = ?, file_token = ?, generation = ?",
                [number, text, generation + 1])
            return !isFirst && !isSame
        }
        try identity?.write(written)
    }

    /// Does work in one transaction, durable when this returns.
    func write<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try queue.write(body)
    }

    /// Looks at one state of the database.
    func read<Value>(_ body: (Database) throws -> Value) throws -> Value {
        try queue.read(body)
    }

    /// Counts up what an old copy cannot know; see `FileIdentity`.
    func noteProgress() throws {
        guard let identity, let token = identity.token() else { return }
        let next = FileIdentity.Token(text: token.text, generation: token.generation + 1)
        try queue.write { db in
            try db.run("UPDATE client SET generation = max(generation, ?)", [next.generation])
        }
        try identity.write(next)
    }

    /// Closes the file.
    func close() throws { try queue.close() }

    /// A copy in memory, as a backup tool makes one.
    func copyInMemory() throws -> DatabaseQueue {
        let copy = try DatabaseQueue()
        try queue.backup(to: copy)
        return copy
    }

    static func error(_ error: any Error) -> ClientError {
        if let error = error as? ClientError { return error }
        if let error = error as? DatabaseError,
            error.resultCode == .SQLITE_BUSY || error.resultCode == .SQLITE_LOCKED
        {
            return ClientError(
                code: .locked, message: "another client has this database; close it first",
                cause: error)
        }
        let code = (error as? DatabaseError)?.resultCode.rawValue
        return ClientError(
            code: .database,
            message: "the client's database failed"
                + (code.map { " (SQLite result \($0))" } ?? "")
                + "; nothing was saved. See the cause", cause: error)
    }
}

/// The names under which this database numbered what it sends; the newest is the current one.
enum DeviceTable {
    struct Device: Equatable {
        let id: Int64
        let name: String
    }

    static func add(_ name: String, _ db: Database) throws {
        try db.run("INSERT INTO device (name) VALUES (?)", [name])
    }

    /// The device that new messages are numbered by.
    static func current(_ db: Database) throws -> Device {
        guard let row = try db.row("SELECT id, name FROM device ORDER BY id DESC LIMIT 1") else {
            throw ClientError(code: .database, message: "the database names no device")
        }
        return Device(id: row["id"], name: row["name"])
    }

    /// The oldest device with messages that wait: it is connected as first.
    static func toConnect(_ db: Database) throws -> Device {
        let row = try db.row(
            """
            SELECT d.id, d.name FROM device AS d
            WHERE EXISTS (SELECT 1 FROM message AS m WHERE m.state = 0 AND m.device = d.id)
            OR EXISTS (SELECT 1 FROM lane AS l WHERE l.device = d.id AND l.checked = 0)
            ORDER BY d.id LIMIT 1
            """)
        guard let row else { return try current(db) }
        return Device(id: row["id"], name: row["name"])
    }
}
