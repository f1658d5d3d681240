public import CLMDB

/// Marks cursors that only read.
@usableFromInline
package enum Reading {}

/// Marks cursors that also write.
@usableFromInline
package enum Writing {}

/// A cursor that only reads.
@usableFromInline
package typealias ReadCursor = TreeCursor<Reading>

/// A cursor that also writes.
@usableFromInline
package typealias WriteCursor = TreeCursor<Writing>

/// A place in a tree, in the keys' byte order.
///
/// It stands on a record after a move that answered true, and on none before the first move and
/// after one that answered false. Spans of the record are good until the next move: the compiler
/// refuses a move in the scope of a constant that holds one. Hence the usual loop:
///
///     guard try cursor.seek(to: start) else { return }
///     repeat {
///         let value = cursor.value
///         …
///     } while try cursor.next()
///
/// `ReadCursor` reads, `WriteCursor` also writes; `Access` tells them apart.
@safe
@usableFromInline
package struct TreeCursor<Access>: ~Copyable, ~Escapable {
    @usableFromInline let handle: OpaquePointer
    @usableFromInline let bounds: PageBounds
    /// The record's key; without an address when the cursor stands on none.
    @usableFromInline var keyRecord: MDB_val
    @usableFromInline var valueRecord: MDB_val

    @inlinable
    @_lifetime(immortal)
    init(handle: OpaquePointer, bounds: PageBounds) {
        unsafe self.handle = unsafe handle
        self.bounds = bounds
        unsafe keyRecord = unsafe MDB_val()
        unsafe valueRecord = unsafe MDB_val()
    }

    /// Whether it stands on a record.
    @inlinable
    package var isOnRecord: Bool {
        unsafe keyRecord.mv_data != nil
    }

    /// The record's key. Precondition: the cursor stands on a record.
    @inlinable
    package var key: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            precondition(isOnRecord, "the cursor stands on no record")
            return unsafe _overrideLifetime(span(of: keyRecord), borrowing: self)
        }
    }

    /// The record's value. Precondition: the cursor stands on a record.
    @inlinable
    package var value: Span<UInt8> {
        @_lifetime(borrow self)
        borrowing get {
            precondition(isOnRecord, "the cursor stands on no record")
            return unsafe _overrideLifetime(span(of: valueRecord), borrowing: self)
        }
    }

    /// Where the page of the record begins; nil when this liblmdb does not tell. Precondition: the
    /// cursor stands on a record.
    package var pageAddress: UInt? {
        precondition(isOnRecord, "the cursor stands on no record")
        return unsafe mailbox_cursor_page(handle).map { UInt(bitPattern: $0) }
    }

    /// Moves to the first record whose key is not less; false when there is none. (`MDB_SET_RANGE`)
    @inlinable
    package mutating func seek(to key: borrowing Span<UInt8>) throws(LMDBError) -> Bool {
        try seek(key, MDB_SET_RANGE)
    }

    /// Moves to the record with exactly this key; false when there is none. (`MDB_SET_KEY`)
    @inlinable
    package mutating func seek(exactly key: borrowing Span<UInt8>) throws(LMDBError) -> Bool {
        try seek(key, MDB_SET_KEY)
    }

    /// Moves to the first record; false when the tree is empty.
    @inlinable
    package mutating func first() throws(LMDBError) -> Bool {
        try move(MDB_FIRST)
    }

    /// Moves to the last record; false when the tree is empty.
    @inlinable
    package mutating func last() throws(LMDBError) -> Bool {
        try move(MDB_LAST)
    }

    /// Moves to the record behind; false at the end. Precondition: the cursor stands on a record.
    @inlinable
    package mutating func next() throws(LMDBError) -> Bool {
        precondition(isOnRecord, "the cursor stands on no record")
        return try move(MDB_NEXT)
    }

    /// Moves to the record before; false at the beginning. Precondition: the cursor stands on a
    /// record.
    @inlinable
    package mutating func previous() throws(LMDBError) -> Bool {
        precondition(isOnRecord, "the cursor stands on no record")
        return try move(MDB_PREV)
    }

    @inlinable
    @inline(__always)
    mutating func seek(
        _ key: borrowing Span<UInt8>, _ operation: MDB_cursor_op
    ) throws(LMDBError) -> Bool {
        // LMDB replaces the caller's key by the record's own, in the page: the span is read during
        // the call only.
        let (handle, value) = unsafe (handle, valueRecord)
        let (result, newKey, newValue) = unsafe withValue(of: key) { key in
            var value = unsafe value
            let result = unsafe mdb_cursor_get(handle, &key, &value, operation)
            return unsafe (result, key, value)
        }
        return unsafe try arrive(result, newKey, newValue)
    }

    @inlinable
    @inline(__always)
    mutating func move(_ operation: MDB_cursor_op) throws(LMDBError) -> Bool {
        var (key, value) = unsafe (keyRecord, valueRecord)
        let result = unsafe mdb_cursor_get(handle, &key, &value, operation)
        return unsafe try arrive(result, key, value)
    }

    @inlinable
    @inline(__always)
    mutating func arrive(
        _ result: CInt, _ key: MDB_val, _ value: MDB_val
    ) throws(LMDBError) -> Bool {
        forget()
        if result == MDB_NOTFOUND { return false }
        try check(result, "mdb_cursor_get")
        try unsafe bounds.check(key: key, value: value, handle)
        unsafe keyRecord = unsafe key
        unsafe valueRecord = unsafe value
        return true
    }

    /// Stands on no record from now on.
    @inlinable
    mutating func forget() {
        unsafe keyRecord.mv_data = nil
    }
}

extension TreeCursor where Access == Writing {
    /// Writes a record, in place of the one with the same key. The cursor then stands on no record.
    @inlinable
    package mutating func put(
        key: borrowing Span<UInt8>, value: borrowing Span<UInt8>
    ) throws(LMDBError) {
        forget()
        let result = unsafe withValue(of: key) { key in
            unsafe withValue(of: value) { value in
                unsafe mdb_cursor_put(handle, &key, &value, 0)
            }
        }
        try check(result, "mdb_cursor_put")
    }

    /// Deletes the record that the cursor stands on. The cursor then stands on no record: seek
    /// again.
    ///
    /// 0.9.24 leaves the C cursor on the record behind, on one past the page's end, or on a page
    /// merged away; `next` from there has skipped records in some of these cases.
    @inlinable
    package mutating func deleteCurrent() throws(LMDBError) {
        precondition(isOnRecord, "the cursor stands on no record")
        forget()
        try check(unsafe mdb_cursor_del(handle, 0), "mdb_cursor_del")
    }
}
