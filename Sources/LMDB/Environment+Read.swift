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

    /// Waits while the map is being replaced, and counts this thread as inside.
    func enter() throws(LMDBError) {
        let refusal = gate.when({ !$0.isShut }) { gate in
            let refusal = gate.refusal
            if refusal == nil { gate.inside += 1 }
            return refusal
        }
        if let refusal { throw refusal }
    }

    /// Counts this thread as outside again.
    func leave() {
        gate.withLock { $0.inside -= 1 }
    }

    @usableFromInline
    func beginRead() throws(LMDBError) -> Reader {
        let (pooled, refusal) = gate.when({ !$0.isShut }) { gate in
            let refusal = gate.refusal
            guard refusal == nil else { return (nil as Reader?, refusal) }
            gate.inside += 1
            return (gate.pool.popLast(), nil)
        }
        if let refusal { throw refusal }
        guard let pooled else { return try beginFirstRead() }
        let result = unsafe mdb_txn_renew(pooled.transaction)
        if result == MDB_SUCCESS { return pooled }
        pooled.abort()
        leave()
        throw failure(result, "mdb_txn_renew")
    }

    /// A read that finds the pool empty takes a reader slot of its own.
    private func beginFirstRead() throws(LMDBError) -> Reader {
        var transaction: OpaquePointer?
        let result = unsafe mdb_txn_begin(handle, nil, UInt32(MDB_RDONLY), &transaction)
        guard result == MDB_SUCCESS, let transaction = unsafe transaction else {
            leave()
            throw failure(result, "mdb_txn_begin")
        }
        return unsafe Reader(transaction: transaction)
    }

    /// Gives up the snapshot and keeps the reader for the next read.
    @usableFromInline
    func endRead(_ reader: Reader) throws(LMDBError) {
        guard !reader.opensDatabases else { return try commitOpenedDatabases(reader) }
        unsafe mdb_txn_reset(reader.transaction)
        gate.withLock { gate in
            gate.pool.append(reader)
            gate.inside -= 1
        }
    }

    @usableFromInline
    func abortRead(_ reader: Reader) {
        guard reader.opensDatabases else {
            unsafe mdb_txn_reset(reader.transaction)
            return gate.withLock { gate in
                gate.pool.append(reader)
                gate.inside -= 1
            }
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
