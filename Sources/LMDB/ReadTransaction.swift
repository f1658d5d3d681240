public import CLMDB

/// A snapshot of an environment, inside `Environment.read`.
@safe
@usableFromInline
package struct ReadTransaction: ~Copyable {
    @usableFromInline let reader: Reader
    @usableFromInline let environment: Environment

    @inlinable
    init(reader: Reader, environment: Environment) {
        self.reader = reader
        self.environment = environment
    }

    /// The number of the last write transaction in this snapshot.
    package var id: Int {
        unsafe mdb_txn_id(reader.transaction)
    }

    /// The value of a key, nil when the tree has no such key. It lies in the data file's map:
    /// nothing is copied.
    @inlinable
    @_lifetime(borrow self)
    package borrowing func value(
        for key: borrowing Span<UInt8>, in database: Database
    ) throws(LMDBError) -> Span<UInt8>? {
        var record = unsafe MDB_val()
        guard unsafe try lookUp(reader.transaction, key, database, &record) else { return nil }
        try unsafe environment.readBounds.check(value: record, reader.transaction)
        return unsafe _overrideLifetime(span(of: record), borrowing: self)
    }

    /// Runs `body` with a cursor over a tree. It stands on no record until it is moved.
    @inlinable
    package borrowing func withCursor<R: ~Copyable>(
        in database: Database, _ body: (inout ReadCursor) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        let handle = unsafe try reader.takeCursor(database)
        defer { unsafe reader.returnCursor(handle, database) }
        var cursor = unsafe ReadCursor(handle: handle, bounds: environment.readBounds)
        return try body(&cursor)
    }

    /// The shape of a tree in this snapshot.
    package borrowing func statistics(
        of database: Database
    ) throws(LMDBError) -> DatabaseStatistics {
        unsafe try treeStatistics(reader.transaction, database)
    }

    /// Opens a named tree. Throws `notFound` when there is none, and `busy` when another
    /// transaction opened a tree since this read began: then read anew.
    ///
    /// 0.9.24 answers the same for a tree that is missing and for one whose record was lost to
    /// damage: whoever must know the difference keeps a record elsewhere that says the tree exists.
    /// The handle is good in this read, and elsewhere once this read returned without an error.
    /// Until then, other transactions that open trees wait: open none inside from another one.
    package borrowing func openDatabase(named name: String) throws(LMDBError) -> Database {
        if !reader.opensDatabases {
            try environment.beginOpeningDatabases(since: reader.databaseGeneration)
            reader.opensDatabases = true
        }
        return unsafe try openTree(reader.transaction, name, flags: 0)
    }
}

/// Looks a key up with `mdb_get`; false when it is absent.
@inlinable
@inline(__always)
func lookUp(
    _ transaction: OpaquePointer, _ key: borrowing Span<UInt8>, _ database: Database,
    _ record: inout MDB_val
) throws(LMDBError) -> Bool {
    let result = unsafe withValue(of: key) { key in
        unsafe mdb_get(transaction, database.handle, &key, &record)
    }
    if result == MDB_NOTFOUND { return false }
    try check(result, "mdb_get")
    return true
}

/// Calls a C function with the span's address and length. The callee must not keep the address.
@inlinable
@inline(__always)
func withValue<R>(of bytes: borrowing Span<UInt8>, _ body: (inout MDB_val) -> R) -> R {
    unsafe bytes.withUnsafeBytes { bytes in
        var value = unsafe MDB_val(
            mv_size: bytes.count, mv_data: UnsafeMutableRawPointer(mutating: bytes.baseAddress))
        return unsafe body(&value)
    }
}

/// The bytes that LMDB points at, once `PageBounds` found them in their page. The caller says how
/// long they live.
@unsafe
@inlinable
@inline(__always)
@_lifetime(immortal)
func span(of value: MDB_val) -> Span<UInt8> {
    let bytes = unsafe UnsafeRawBufferPointer(start: value.mv_data, count: value.mv_size)
    return unsafe _overrideLifetime(Span(_unsafeBytes: bytes), copying: ())
}

@usableFromInline
func openCursor(
    _ transaction: OpaquePointer, _ database: Database
) throws(LMDBError) -> OpaquePointer {
    var cursor: OpaquePointer?
    let result = unsafe mdb_cursor_open(transaction, database.handle, &cursor)
    guard result == MDB_SUCCESS, let cursor = unsafe cursor else {
        throw failure(result, "mdb_cursor_open")
    }
    return unsafe cursor
}

func treeStatistics(
    _ transaction: OpaquePointer, _ database: Database
) throws(LMDBError) -> DatabaseStatistics {
    var statistics = MDB_stat()
    try check(unsafe mdb_stat(transaction, database.handle, &statistics), "mdb_stat")
    return DatabaseStatistics(statistics)
}

func openTree(
    _ transaction: OpaquePointer, _ name: String, flags: CInt
) throws(LMDBError) -> Database {
    var handle: MDB_dbi = 0
    try check(unsafe mdb_dbi_open(transaction, name, UInt32(flags), &handle), "mdb_dbi_open")
    // No tree of this package has any: with damaged ones LMDB takes records for what they are not.
    var treeFlags: UInt32 = 0
    try check(unsafe mdb_dbi_flags(transaction, handle, &treeFlags), "mdb_dbi_flags")
    guard treeFlags == 0 else {
        throw LMDBError(code: .corrupted, operation: "mdb_dbi_open", message: "a tree's flags")
    }
    return Database(handle: handle)
}
