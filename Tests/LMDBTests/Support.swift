import Foundation
import LMDB

/// A directory of its own for one test, removed with it.
final class TemporaryDirectory: Sendable {
    let path: String

    init() throws {
        let url = FileManager.default.temporaryDirectory
            .appendingPathComponent("mailbox-lmdb-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: url, withIntermediateDirectories: true)
        path = url.path
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// Opens an environment whose files have no names any more: a process that is about to crash
    /// leaves nothing behind.
    func openUnlinked() throws -> Environment {
        let environment = try open()
        try FileManager.default.removeItem(atPath: path)
        return environment
    }

    /// The data file of an environment in it.
    var dataFile: URL { URL(fileURLWithPath: path).appendingPathComponent("data.mdb") }

    /// Opens an environment in it; this thread becomes the one that writes.
    func open(
        mapBytes: Int = 16 << 20, readersMaximum: Int = 16, readOnly: Bool = false
    ) throws(LMDBError) -> Environment {
        let environment = try Environment(
            path: path,
            options: Environment.Options(
                mapBytes: mapBytes, readersMaximum: readersMaximum, databasesMaximum: 4,
                readOnly: readOnly))
        environment.adoptWriterThread()
        return environment
    }
}

extension Environment {
    /// A tree, made if it is missing.
    func tree(_ name: String = "records") throws(LMDBError) -> Database {
        try write { transaction throws(LMDBError) in
            try transaction.openDatabase(named: name, create: true)
        }
    }

    /// Writes one record in a transaction of its own.
    func put(_ key: [UInt8], _ value: [UInt8], in database: Database) throws(LMDBError) {
        try write { transaction throws(LMDBError) in
            try transaction.put(key: key.span, value: value.span, in: database)
        }
    }

    /// A value, copied.
    func value(_ key: [UInt8], in database: Database) throws(LMDBError) -> [UInt8]? {
        try read { transaction throws(LMDBError) in
            try transaction.copyOfValue(key, in: database)
        }
    }

    /// All records in order, copied.
    func records(in database: Database) throws(LMDBError) -> [Record] {
        try read { transaction throws(LMDBError) in
            try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                var records: [Record] = []
                guard try cursor.first() else { return records }
                repeat { records.append(cursor.record) } while try cursor.next()
                return records
            }
        }
    }
}

/// A record, copied.
struct Record: Hashable {
    var key: [UInt8]
    var value: [UInt8]
}

extension ReadTransaction {
    func copyOfValue(_ key: [UInt8], in database: Database) throws(LMDBError) -> [UInt8]? {
        guard let value = try value(for: key.span, in: database) else { return nil }
        return copy(of: value)
    }
}

extension WriteTransaction {
    func copyOfValue(_ key: [UInt8], in database: Database) throws(LMDBError) -> [UInt8]? {
        guard let value = try value(for: key.span, in: database) else { return nil }
        return copy(of: value)
    }
}

extension TreeCursor {
    /// The record under the cursor, copied.
    var record: Record { Record(key: copy(of: key), value: copy(of: value)) }
}

func copy(of bytes: borrowing Span<UInt8>) -> [UInt8] {
    bytes.withUnsafeBytes { Array($0) }
}

/// A generator whose seed reproduces a run.
struct SeededGenerator: RandomNumberGenerator {
    private var state: UInt64

    /// Prints the seed, so that a failure can be repeated.
    init(seed: UInt64 = .random(in: 0 ... .max), function: String = #function) {
        print("\(function): seed \(seed)")
        state = seed
    }

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
