internal import Foundation
internal import GRDB
package import Mailbox
package import StoreAPI

/// Where to notify which device: a small SQLite database, each change on stable storage before it
/// is answered (`synchronous = FULL`).
///
/// Several processes of one machine may share the file; each reads what the others wrote.
package final class DeviceRegistry: DeviceRegistering {
    private let database: DatabasePool

    /// Opens the registry, or makes one.
    ///
    /// - Parameter path: the database's file.
    /// - Throws: `failed` when it cannot be opened, `corrupted` when it is no database.
    package init(path: String) throws(StoreError) {
        var configuration = Configuration()
        configuration.label = "push registry"
        // Another PushSrv of this machine may be writing.
        configuration.busyMode = .timeout(5)
        configuration.maximumReaderCount = 2
        let settled = configuration
        switch Result(catching: { try Self.open(path, settled) }) {
        case .success(let opened): database = opened
        case .failure(let error): throw Self.failure(error, "open the registry \(path)")
        }
    }

    private static func open(_ path: String, _ configuration: Configuration) throws -> DatabasePool
    {
        let database = try DatabasePool(path: path, configuration: configuration)
        // A pool's own choice is NORMAL, with which a power cut undoes what was told.
        try database.writeWithoutTransaction { writer in
            try writer.execute(sql: "PRAGMA synchronous = FULL")
        }
        try migrations.migrate(database)
        return database
    }

    /// Closes the file. Nothing may be asked afterwards.
    package func close() { try? database.close() }

    private static var migrations: DatabaseMigrator {
        var migrations = DatabaseMigrator()
        migrations.registerMigration("registrations") { database in
            try database.execute(
                sql: """
                    CREATE TABLE registration (
                        account BLOB NOT NULL,
                        device BLOB NOT NULL,
                        service TEXT NOT NULL,
                        token TEXT NOT NULL,
                        topic TEXT NOT NULL,
                        sandbox INTEGER NOT NULL,
                        PRIMARY KEY (account, device)
                    ) WITHOUT ROWID, STRICT
                    """)
        }
        return migrations
    }

    package func keep(
        _ registration: PushRegistration, devicesMaximum: Int
    ) async throws(StoreError) {
        let isKept = try await write("keep a registration") { database in
            let others = try Int.fetchOne(
                database,
                sql: "SELECT count(*) FROM registration WHERE account = ? AND device <> ?",
                arguments: [
                    Data(registration.account.utf8), Data(registration.device.utf8),
                ])
            guard (others ?? 0) < devicesMaximum else { return false }
            try database.execute(
                sql: """
                    INSERT OR REPLACE INTO registration
                        (account, device, service, token, topic, sandbox)
                    VALUES (?, ?, ?, ?, ?, ?)
                    """,
                arguments: [
                    Data(registration.account.utf8), Data(registration.device.utf8),
                    registration.service.rawValue, registration.token, registration.topic,
                    registration.isSandbox,
                ])
            return true
        }
        guard isKept else {
            throw .invalidArgument(
                "the account has \(devicesMaximum) registered devices; unregister one first")
        }
    }

    package func forget(
        _ account: Address, device: DeviceID, token: String? = nil
    ) async throws(StoreError) {
        try await write("forget a registration") { database in
            try database.execute(
                sql: """
                    DELETE FROM registration
                    WHERE account = ? AND device = ? AND (? IS NULL OR token = ?)
                    """,
                arguments: [Data(account.utf8), Data(device.utf8), token, token])
        }
    }

    package func registrations(
        of accounts: [Address]
    ) async throws(StoreError) -> [PushRegistration] {
        try await read("read registrations") { database in
            let statement = try database.cachedStatement(
                sql: "SELECT * FROM registration WHERE account = ? ORDER BY device")
            return try accounts.flatMap { account in
                try Row.fetchAll(statement, arguments: [Data(account.utf8)])
                    .map(Self.registration)
            }
        }
    }

    package func accounts(after: Address?, limit: Int) async throws(StoreError) -> [Address] {
        try await read("list accounts") { database in
            try Row.fetchAll(
                database,
                sql: """
                    SELECT DISTINCT account FROM registration WHERE account > ?
                    ORDER BY account LIMIT ?
                    """,
                arguments: [Data(after?.utf8 ?? []), limit]
            ).map { try Self.account($0) }
        }
    }

    /// How many registrations there are.
    ///
    /// - Throws: `failed`.
    package func count() async throws(StoreError) -> Int {
        try await read("count registrations") { database in
            try Int.fetchOne(database, sql: "SELECT count(*) FROM registration") ?? 0
        }
    }

    /// How writes are synced: 2 is `FULL`.
    func synchronousLevel() async throws(StoreError) -> Int {
        try await write("read a setting") { database in
            try Int.fetchOne(database, sql: "PRAGMA synchronous") ?? -1
        }
    }

    private static func registration(_ row: Row) throws -> PushRegistration {
        guard let service = PushRegistration.Service(rawValue: row["service"] ?? "") else {
            throw StoreError.corrupted("the registry has a service that there is not")
        }
        return PushRegistration(
            account: try account(row),
            device: try device(row), service: service,
            token: row["token"] ?? "", topic: row["topic"] ?? "",
            isSandbox: row["sandbox"] ?? false)
    }

    // The bytes have a name of their own: the span of a temporary array crashes the compiler.

    private static func account(_ row: Row) throws -> Address {
        let bytes = try bytes(row, "account")
        return try Address(utf8: bytes.span)
    }

    private static func device(_ row: Row) throws -> DeviceID {
        let bytes = try bytes(row, "device")
        return try DeviceID(utf8: bytes.span)
    }

    /// Names are compared as bytes, so they are kept as bytes.
    private static func bytes(_ row: Row, _ column: String) throws -> [UInt8] {
        guard let data: Data = row[column] else {
            throw StoreError.corrupted("the registry has a row without \(column)")
        }
        return [UInt8](data)
    }

    // MARK: Errors

    private func write<Value: Sendable>(
        _ what: String, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, any Error>
        do {
            result = .success(try await database.write(body))
        } catch {
            result = .failure(error)
        }
        return try result.mapError { Self.failure($0, what) }.get()
    }

    private func read<Value: Sendable>(
        _ what: String, _ body: @escaping @Sendable (Database) throws -> Value
    ) async throws(StoreError) -> Value {
        let result: Result<Value, any Error>
        do {
            result = .success(try await database.read(body))
        } catch {
            result = .failure(error)
        }
        return try result.mapError { Self.failure($0, what) }.get()
    }

    /// Tells the result code and never the statement, whose arguments may be tokens.
    private static func failure(_ error: any Error, _ what: String) -> StoreError {
        switch error {
        case let error as StoreError: return error
        case let error as DatabaseError:
            let code: StoreError.Code =
                switch error.resultCode {
                case .SQLITE_FULL: .storageFull
                case .SQLITE_CORRUPT, .SQLITE_NOTADB: .corrupted
                case .SQLITE_BUSY, .SQLITE_LOCKED: .overloaded
                default: .failed
                }
            return StoreError(
                code: code, message: "cannot \(what): SQLite answered \(error.resultCode)")
        default: return StoreError(code: .failed, message: "cannot \(what)")
        }
    }
}
