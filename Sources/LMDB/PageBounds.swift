public import CLMDB

/// Holds what LMDB points at against the page that it must lie in.
///
/// LMDB 0.9.24 believes the lengths that a tree's nodes state. A damaged one makes a key or a value
/// that leaves its page, and perhaps the file: reading what the file lacks ends the process with
/// SIGBUS. The pages themselves exist: LMDB refuses a page number beyond the file's last page, and
/// `DataFile` a file that is too short.
///
/// A key, and a value of up to half a page, lie within one page. A larger value has pages of its
/// own: a header, then the value, from the header's end on.
///
/// Where pages begin at multiples of their size, an address tells its page. What a write
/// transaction changed lies in memory of its own, which begins anywhere: there the cursor tells the
/// page that it stands on.
@usableFromInline
struct PageBounds: Sendable {
    @usableFromInline let pageBytes: Int
    /// Pages begin at multiples of their size. Not so where the machine's pages are smaller than
    /// the file's, nor in a write transaction.
    @usableFromInline let isAligned: Bool
    /// In a write transaction: values may lie in pages that it took, behind the file's last one.
    private let isWriting: Bool

    private static let overflowFlag: UInt16 = 0x04

    init(pageBytes: Int, machinePageBytes: Int, isWriting: Bool) {
        self.pageBytes = pageBytes
        self.isWriting = isWriting
        isAligned = !isWriting && pageBytes <= machinePageBytes
    }

    /// Throws `corrupted` unless a record's value, as a read found it, lies in a page, or in pages
    /// of its own.
    @inlinable
    @inline(__always)
    func check(
        value: MDB_val, _ transaction: @autoclosure () -> OpaquePointer?
    ) throws(LMDBError) {
        if unsafe liesInOnePage(value) { return }
        guard unsafe hasOwnPages(value, transaction()) else { throw Self.leavesItsPage }
    }

    /// Throws `corrupted` unless the record that a cursor stands on lies in its page: the key, and
    /// the value, unless it has pages of its own.
    @inlinable
    @inline(__always)
    func check(key: MDB_val, value: MDB_val, _ cursor: OpaquePointer) throws(LMDBError) {
        if isAligned {
            guard unsafe liesInOnePage(key) else { throw Self.leavesItsPage }
            try unsafe check(value: value, mdb_cursor_txn(cursor))
        } else {
            guard unsafe liesInPage(of: cursor, key, value) else { throw Self.leavesItsPage }
        }
    }

    /// Whether the bytes lie in a page with others. Where pages begin at multiples of their size
    /// they end in the page that they begin in: then they can be read, whatever they are. Where
    /// nobody knows where that page begins they are no longer than what lies in one: what is read
    /// beyond it, if anything, is less than half a page, and memory.
    @inlinable
    @inline(__always)
    func liesInOnePage(_ bytes: MDB_val) -> Bool {
        guard isAligned else { return unsafe bytes.mv_size <= pageBytes / 2 }
        // A length has 32 bits: the sum cannot overflow.
        return unsafe (Int(bitPattern: bytes.mv_data) & (pageBytes &- 1)) &+ bytes.mv_size
            <= pageBytes
    }

    /// Whether a record lies in the page that the cursor stands on, wherever that begins.
    @usableFromInline
    func liesInPage(of cursor: OpaquePointer, _ key: MDB_val, _ value: MDB_val) -> Bool {
        guard let page = unsafe mailbox_cursor_page(cursor) else {
            // A liblmdb that keeps its cursors otherwise.
            return unsafe liesInOnePage(key)
                && (liesInOnePage(value) || hasOwnPages(value, mdb_cursor_txn(cursor)))
        }
        let room = DataFile.pageHeaderBytes...pageBytes
        let keyOffset = unsafe Int(bitPattern: key.mv_data) &- Int(bitPattern: page)
        // The value begins where the key ends: within the page, too.
        guard room.contains(keyOffset), unsafe key.mv_size <= pageBytes - keyOffset else {
            return false
        }
        let offset = unsafe Int(bitPattern: value.mv_data) &- Int(bitPattern: page)
        guard room.contains(offset) else {
            return unsafe hasOwnPages(value, mdb_cursor_txn(cursor))
        }
        return unsafe value.mv_size <= pageBytes - offset
    }

    /// Whether a value begins behind the header of pages of its own, and fits them.
    @usableFromInline
    func hasOwnPages(_ value: MDB_val, _ transaction: OpaquePointer?) -> Bool {
        let headerBytes = DataFile.pageHeaderBytes
        guard let start = unsafe value.mv_data else { return false }
        let offset = Int(bitPattern: start) & (pageBytes - 1)
        // Where it is not aligned, something lies in front of the value all the same: it is not in
        // the page of its key, so LMDB found another for it, which begins with a header.
        guard offset == headerBytes || !isAligned else { return false }
        let header = unsafe UnsafeRawBufferPointer(
            start: start - headerBytes, count: headerBytes)
        let number = unsafe header.loadUnaligned(as: Int.self)
        let flags = unsafe header.loadUnaligned(fromByteOffset: 10, as: UInt16.self)
        let pages = Int(unsafe header.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        guard flags & Self.overflowFlag != 0,
            unsafe headerBytes + value.mv_size <= pages * pageBytes
        else { return false }
        if isWriting { return true }
        var information = unsafe MDB_envinfo()
        guard unsafe mdb_env_info(mdb_txn_env(transaction), &information) == MDB_SUCCESS else {
            return false
        }
        let count = unsafe (headerBytes + value.mv_size + pageBytes - 1) / pageBytes
        let last = unsafe information.me_last_pgno
        return number >= 0 && number <= last && count <= last - number + 1
    }

    @usableFromInline
    static var leavesItsPage: LMDBError {
        LMDBError(
            code: .corrupted, operation: "mdb_get", message: "a record that leaves its page")
    }
}
