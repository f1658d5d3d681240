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
@usableFromInline
struct PageBounds: Sendable {
    @usableFromInline let pageBytes: Int
    /// Pages begin at multiples of their size. Not so where the machine's pages are smaller than
    /// the file's, nor in a write transaction: what it changed lies in memory of its own.
    @usableFromInline let isAligned: Bool
    /// In a write transaction: values may lie in pages that it took, behind the file's last one.
    private let isWriting: Bool

    private static let overflowFlag: UInt16 = 0x04

    init(pageBytes: Int, machinePageBytes: Int, isWriting: Bool) {
        self.pageBytes = pageBytes
        self.isWriting = isWriting
        isAligned = !isWriting && pageBytes <= machinePageBytes
    }

    /// Throws `corrupted` unless the key lies in a page.
    @inlinable
    @inline(__always)
    func check(key: MDB_val) throws(LMDBError) {
        guard unsafe liesInOnePage(key) else { throw Self.leavesItsPage }
    }

    /// Throws `corrupted` unless the value lies in a page, or in pages of its own.
    @inlinable
    @inline(__always)
    func check(
        value: MDB_val, _ transaction: @autoclosure () -> OpaquePointer?
    ) throws(LMDBError) {
        if unsafe liesInOnePage(value) { return }
        guard unsafe hasOwnPages(value, transaction()) else { throw Self.leavesItsPage }
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

    /// Whether a value begins behind the header of pages of its own, and fits them.
    @usableFromInline
    func hasOwnPages(_ value: MDB_val, _ transaction: OpaquePointer?) -> Bool {
        let headerBytes = DataFile.pageHeaderBytes
        guard let start = unsafe value.mv_data else { return false }
        let offset = Int(bitPattern: start) & (pageBytes - 1)
        // Where it is not aligned, something lies in front of the value all the same: a header, or
        // a page's header and a key.
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
