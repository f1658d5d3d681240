public import CLMDB

/// The one write transaction of an environment, inside `Environment.write`.
///
/// Everything that changes a tree is `mutating`: LMDB moves and frees the pages that earlier
/// answers lie in, so the compiler refuses a change while a span, or a cursor, of the transaction
/// is in use.
///
/// Bound what one transaction changes: 0.9.24 leaks the pages that a huge one had to spill. After
/// an error from a change, only leaving the closure by throwing is of use: a commit would answer
/// `badTransaction`.
@safe
@usableFromInline
package struct WriteTransaction: ~Copyable {
    @usableFromInline let handle: OpaquePointer
    @usableFromInline let environment: Environment
    /// Set when it opened a named tree: others that open trees wait for its end.
    private(set) var opensDatabases = false
    /// The gate's number when it began.
    private let databaseGeneration: Int

    init(handle: OpaquePointer, environment: Environment, databaseGeneration: Int) {
        unsafe self.handle = unsafe handle
        self.environment = environment
        self.databaseGeneration = databaseGeneration
    }

    /// The transaction's number.
    package var id: Int {
        unsafe mdb_txn_id(handle)
    }

    /// The value of a key, nil when the tree has no such key. Good until the next change.
    @inlinable
    @_lifetime(borrow self)
    package borrowing func value(
        for key: borrowing Span<UInt8>, in database: Database
    ) throws(LMDBError) -> Span<UInt8>? {
        // Only a cursor tells the page.
        let cursorHandle = unsafe try openCursor(handle, database)
        defer { unsafe mdb_cursor_close(cursorHandle) }
        var cursor = unsafe ReadCursor(handle: cursorHandle, bounds: environment.writeBounds)
        guard try cursor.seek(exactly: key) else { return nil }
        return unsafe _overrideLifetime(span(of: cursor.valueRecord), borrowing: self)
    }

    /// Writes a record, in place of the one with the same key. Keys are 1 … 511 bytes, else
    /// `badValueSize`.
    @inlinable
    package mutating func put(
        key: borrowing Span<UInt8>, value: borrowing Span<UInt8>, in database: Database
    ) throws(LMDBError) {
        // LMDB removes the old record by the length that its node states.
        _ = try self.value(for: key, in: database)
        let result = unsafe withValue(of: key) { key in
            unsafe withValue(of: value) { value in
                unsafe mdb_put(handle, database.handle, &key, &value, 0)
            }
        }
        try check(result, "mdb_put")
    }

    /// Deletes a key's record; false when there was none.
    @inlinable
    package mutating func delete(
        key: borrowing Span<UInt8>, in database: Database
    ) throws(LMDBError) -> Bool {
        guard try value(for: key, in: database) != nil else { return false }
        let result = unsafe withValue(of: key) { key in
            unsafe mdb_del(handle, database.handle, &key, nil)
        }
        if result == MDB_NOTFOUND { return false }
        try check(result, "mdb_del")
        return true
    }

    /// Runs `body` with a cursor that reads. It stands on no record until it is moved.
    @inlinable
    package borrowing func withCursor<R: ~Copyable>(
        in database: Database, _ body: (inout ReadCursor) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        let cursorHandle = unsafe try openCursor(handle, database)
        defer { unsafe mdb_cursor_close(cursorHandle) }
        var cursor = unsafe ReadCursor(handle: cursorHandle, bounds: environment.writeBounds)
        return try body(&cursor)
    }

    /// Runs `body` with a cursor that also writes. It stands on no record until it is moved.
    @inlinable
    package mutating func withWriteCursor<R: ~Copyable>(
        in database: Database, _ body: (inout WriteCursor) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        let cursorHandle = unsafe try openCursor(handle, database)
        defer { unsafe mdb_cursor_close(cursorHandle) }
        var cursor = unsafe WriteCursor(handle: cursorHandle, bounds: environment.writeBounds)
        return try body(&cursor)
    }

    /// The shape of a tree, with this transaction's changes.
    package borrowing func statistics(
        of database: Database
    ) throws(LMDBError) -> DatabaseStatistics {
        unsafe try treeStatistics(handle, database)
    }

    /// Opens a named tree, and makes it if asked to and it is missing; else throws `notFound`.
    /// Throws `busy` when a read opened a tree since this transaction began: then write anew.
    ///
    /// The handle is good in this transaction, and elsewhere once this transaction committed.
    /// Until its end, other transactions that open trees wait: open none inside from another one.
    package mutating func openDatabase(
        named name: String, create: Bool
    ) throws(LMDBError) -> Database {
        if !opensDatabases {
            try environment.beginOpeningDatabases(since: databaseGeneration)
            opensDatabases = true
        }
        return unsafe try openTree(handle, name, flags: create ? MDB_CREATE : 0)
    }
}
