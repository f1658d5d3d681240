import CLMDB

/// An environment at one moment.
package struct EnvironmentStatistics: Hashable, Sendable {
    /// The map's size in bytes: the most that the data file can grow to.
    package var mapBytes: Int
    /// The number of the last page that was ever used; pages are counted from 0.
    package var lastPage: Int
    /// A page's size in bytes.
    package var pageBytes: Int
    /// Pages below `lastPage` that hold nothing; nil when no reader slot was free to count them
    /// with.
    package var freePages: Int?
    /// The number of the last committed transaction.
    package var lastTransactionID: Int
    /// The most reads at one time.
    package var readersMaximum: Int
    /// Reader slots taken, by all processes; pooled readers keep theirs.
    package var readerSlotsTaken: Int
    /// Slots whose reader holds a snapshot.
    package var readersInUse: Int
    /// How many transactions were committed after the oldest snapshot in use; 0 without readers. It
    /// pins their pages.
    package var oldestReaderLag: Int

    /// The data file's size up to its last used page, in bytes; free pages count.
    package var usedBytes: Int { (lastPage + 1) * pageBytes }
}

extension Environment {
    /// The environment now. Counting the free pages reads the list of them.
    package var statistics: EnvironmentStatistics {
        get throws(LMDBError) {
            let freePages = try freePagesIfSlot()
            try enter()
            defer { leave() }
            var information = unsafe MDB_envinfo()
            try check(unsafe mdb_env_info(handle, &information), "mdb_env_info")
            var shape = MDB_stat()
            try check(unsafe mdb_env_stat(handle, &shape), "mdb_env_stat")
            // Snapshots that the pool keeps are nobody's.
            gate.withLock { $0.giveUpSnapshots() }
            let readers = readerTable()
            let last = unsafe information.me_last_txnid
            return unsafe EnvironmentStatistics(
                mapBytes: information.me_mapsize, lastPage: information.me_last_pgno,
                pageBytes: Int(shape.ms_psize), freePages: freePages, lastTransactionID: last,
                readersMaximum: readersMaximum, readerSlotsTaken: readers.taken,
                readersInUse: readers.inUse,
                oldestReaderLag: readers.oldest.map { max(0, last - $0) } ?? 0)
        }
    }

    /// The map's size and the bytes up to the last used page: two numbers, and no walk.
    package var usage: (usedBytes: Int, mapBytes: Int) {
        get throws(LMDBError) {
            try enter()
            defer { leave() }
            var information = unsafe MDB_envinfo()
            try check(unsafe mdb_env_info(handle, &information), "mdb_env_info")
            var shape = MDB_stat()
            try check(unsafe mdb_env_stat(handle, &shape), "mdb_env_stat")
            return unsafe (
                (information.me_last_pgno + 1) * Int(shape.ms_psize), information.me_mapsize
            )
        }
    }

    private func freePagesIfSlot() throws(LMDBError) -> Int? {
        do throws(LMDBError) {
            return try read { transaction throws(LMDBError) in
                try transaction.withCursor(in: .freePages, Self.countFreePages)
            }
        } catch  where error.code == .readersFull {
            return nil
        }
    }

    /// Every record of LMDB's free list is a count and that many page numbers, native words.
    private static func countFreePages(_ cursor: inout ReadCursor) throws(LMDBError) -> Int {
        var pages = 0
        guard try cursor.first() else { return 0 }
        repeat {
            let value = cursor.value
            guard value.count >= MemoryLayout<Int>.size else {
                throw LMDBError(code: .corrupted, operation: "mdb_cursor_get", message: "free list")
            }
            pages += unsafe value.withUnsafeBytes { unsafe $0.loadUnaligned(as: Int.self) }
        } while try cursor.next()
        return pages
    }

    private struct ReaderTable {
        var taken = 0
        var inUse = 0
        var oldest: Int?

        mutating func add(transaction: Int?) {
            taken += 1
            guard let transaction else { return }
            inUse += 1
            oldest = min(oldest ?? transaction, transaction)
        }
    }

    /// LMDB tells its reader table only as text: a heading, then `pid thread transaction` a line,
    /// `-` without one.
    private func readerTable() -> ReaderTable {
        var table = ReaderTable()
        unsafe withUnsafeMutablePointer(to: &table) { table in
            _ = unsafe mdb_reader_list(
                handle,
                { line, context in
                    guard let line = unsafe line, let context = unsafe context else { return 0 }
                    let fields = unsafe String(cString: line).split { $0 == " " || $0 == "\n" }
                    guard fields.count == 3, Int(fields[0]) != nil else { return 0 }
                    unsafe context.assumingMemoryBound(to: ReaderTable.self).pointee
                        .add(transaction: Int(fields[2]))
                    return 0
                }, table)
        }
        return table
    }
}
