import CLMDB

/// A read transaction's handle with its reader slot and one cursor, kept between reads: a read then
/// costs no allocation, no lock of LMDB's and no search for a slot.
///
/// While a read runs, its reader belongs to that read alone; in between it lies in the gate's pool.
/// There it keeps its snapshot until a write transaction ends: a snapshot that is the newest keeps
/// no page from being used again, and the next read need not take another.
@usableFromInline
@safe
final class Reader {
    @usableFromInline let transaction: OpaquePointer
    private var cursor: OpaquePointer?
    private var cursorDatabase: MDB_dbi = 0
    /// Set when the read opened a named tree: its handles become usable only by a commit, which
    /// frees the transaction.
    var opensDatabases = false
    /// The gate's numbers from before the snapshot was taken.
    private(set) var databaseGeneration = 0
    private(set) var writesEnded = 0
    private(set) var holdsSnapshot = false

    init(transaction: OpaquePointer) {
        unsafe self.transaction = unsafe transaction
    }

    /// The transaction now has a snapshot, taken after the gate said these numbers.
    func noteSnapshot(databaseGeneration: Int, writesEnded: Int) {
        self.databaseGeneration = databaseGeneration
        self.writesEnded = writesEnded
        holdsSnapshot = true
    }

    /// Lets the snapshot go, if there is one, and keeps the slot.
    func giveUpSnapshot() {
        if holdsSnapshot { unsafe mdb_txn_reset(transaction) }
        holdsSnapshot = false
    }

    /// A cursor in the running transaction: the kept one when it is of that tree, else a new one.
    ///
    /// A kept cursor points into pages of an earlier snapshot, perhaps of an earlier map;
    /// `mdb_cursor_renew` makes it forget them without looking at them.
    @usableFromInline
    func takeCursor(_ database: Database) throws(LMDBError) -> OpaquePointer {
        if let kept = unsafe cursor, cursorDatabase == database.handle {
            unsafe cursor = nil
            let result = unsafe mdb_cursor_renew(transaction, kept)
            if result == MDB_SUCCESS { return unsafe kept }
            unsafe mdb_cursor_close(kept)
            throw failure(result, "mdb_cursor_renew")
        }
        return unsafe try openCursor(transaction, database)
    }

    /// Keeps the cursor for the next read, in place of the one kept so far.
    @usableFromInline
    func returnCursor(_ returned: OpaquePointer, _ database: Database) {
        if let kept = unsafe cursor { unsafe mdb_cursor_close(kept) }
        unsafe cursor = unsafe returned
        cursorDatabase = database.handle
    }

    /// Gives back the slot and the memory, and the handles of trees that this read opened.
    func abort() {
        closeCursor()
        unsafe mdb_txn_abort(transaction)
    }

    /// Gives back the slot and the memory; the trees that this read opened become usable.
    func commit() throws(LMDBError) {
        closeCursor()
        try check(unsafe mdb_txn_commit(transaction), "mdb_txn_commit")
    }

    private func closeCursor() {
        if let kept = unsafe cursor { unsafe mdb_cursor_close(kept) }
        unsafe cursor = nil
    }
}
