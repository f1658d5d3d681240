import CLMDB

extension Environment {
    /// Runs `body` on a snapshot: what was committed when it began, whatever is committed
    /// meanwhile.
    ///
    /// As long as it runs, pages that newer commits gave up cannot be reused: be short, wait for
    /// nothing inside. Spans from the transaction cannot leave the closure. Throws `readersFull`
    /// when `readersMaximum` reads are under way.
    @inlinable
    package func read<R: ~Copyable>(
        _ body: (borrowing ReadTransaction) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        let reader = try beginRead()
        let result: R
        do throws(LMDBError) {
            result = try body(ReadTransaction(reader: reader, environment: self))
        } catch {
            abortRead(reader)
            throw error
        }
        try endRead(reader)
        return result
    }

    /// Waits while the map is being replaced, and counts this thread as inside. Answers the
    /// number that a transaction needs to open trees; it must begin only afterwards.
    @discardableResult
    func enter() throws(LMDBError) -> Int {
        try gate.when({ !$0.isShut }) { gate throws(LMDBError) in try gate.enter() }
    }

    /// Counts this thread as outside again.
    func leave() {
        gate.withLock { $0.inside -= 1 }
    }

    @usableFromInline
    func beginRead() throws(LMDBError) -> Reader {
        let (generation, writesEnded, pooled) = try gate.when({ !$0.isShut }) {
            gate throws(LMDBError) in
            (try gate.enter(), gate.writesEnded, gate.pool.popLast())
        }
        guard let reader = pooled else { return try beginFirstRead(generation, writesEnded) }
        // What it holds is the newest; but trees that were opened since are not in it.
        if reader.holdsSnapshot, reader.databaseGeneration == generation { return reader }
        reader.giveUpSnapshot()
        let result = unsafe mdb_txn_renew(reader.transaction)
        guard result == MDB_SUCCESS else {
            reader.abort()
            leave()
            throw failure(result, "mdb_txn_renew")
        }
        reader.noteSnapshot(databaseGeneration: generation, writesEnded: writesEnded)
        return reader
    }

    /// A read that finds the pool empty takes a reader slot of its own.
    private func beginFirstRead(
        _ generation: Int, _ writesEnded: Int
    ) throws(LMDBError) -> Reader {
        var transaction: OpaquePointer?
        let result = unsafe mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &transaction)
        guard result == MDB_SUCCESS, let transaction = unsafe transaction else {
            leave()
            throw failure(result, "mdb_txn_begin")
        }
        let reader = unsafe Reader(transaction: transaction)
        reader.noteSnapshot(databaseGeneration: generation, writesEnded: writesEnded)
        return reader
    }

    /// Keeps the reader for the next read, and its snapshot as long as it is the newest.
    @usableFromInline
    func endRead(_ reader: Reader) throws(LMDBError) {
        guard !reader.opensDatabases else { return try commitOpenedDatabases(reader) }
        gate.withLock { $0.takeBack(reader) }
    }

    @usableFromInline
    func abortRead(_ reader: Reader) {
        guard reader.opensDatabases else {
            // LMDB uses no transaction again in which it met damage.
            reader.giveUpSnapshot()
            return gate.withLock { $0.takeBack(reader) }
        }
        reader.abort()
        endOpeningDatabases()
        leave()
    }

    private func commitOpenedDatabases(_ reader: Reader) throws(LMDBError) {
        defer {
            endOpeningDatabases()
            leave()
        }
        try reader.commit()
    }
}
