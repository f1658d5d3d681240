import CLMDB

extension Environment {
    /// Makes the map larger, on the writer's thread and outside a write transaction; does nothing
    /// when it is that large already. Later reads wait, and this waits for the reads under way: so
    /// they must be short.
    ///
    /// `mdb_env_set_mapsize` unmaps the file first. If it cannot be mapped again, there is nothing
    /// left to read from: every later operation throws this call's error, and the environment must
    /// be closed and opened again.
    package func growMap(to bytes: Int) throws(LMDBError) {
        precondition(isWriterThread, "only the writer's thread may grow the map")
        try enter()
        defer { leave() }
        guard try mapBytes() < bytes else { return }
        let isWriting = gate.withLock { gate in
            gate.isShut = true
            return gate.isWriting
        }
        precondition(!isWriting, "the map cannot grow inside a write transaction")
        // Pooled readers and their cursors stay: what is reset holds no address that a renewal
        // would look at.
        gate.when({ $0.inside == 1 }) { $0.giveUpSnapshots() }
        let result = unsafe mdb_env_set_mapsize(handle, bytes)
        let failure = result == MDB_SUCCESS ? nil : failure(result, "mdb_env_set_mapsize")
        gate.withLock { gate in
            gate.isShut = false
            if let failure { gate.lost = failure }
        }
        if let failure { throw failure }
    }

    private func mapBytes() throws(LMDBError) -> Int {
        var information = unsafe MDB_envinfo()
        try check(unsafe mdb_env_info(handle, &information), "mdb_env_info")
        return unsafe information.me_mapsize
    }

    /// Copies a snapshot into an existing, empty directory, while others read and write, and syncs
    /// it.
    ///
    /// Compacting leaves out free pages and takes longer. Pages given up meanwhile cannot be reused
    /// before it ends. Not to be called inside a write transaction: a copy that does not compact
    /// waits for its end.
    package func copy(to path: String, compacting: Bool) throws(LMDBError) {
        try enter()
        defer { leave() }
        let flags = UInt32(compacting ? MDB_CP_COMPACT : 0)
        try check(unsafe mdb_env_copy2(handle, path, flags), "mdb_env_copy2")
        // LMDB leaves the copy in the page cache.
        try DataFile.sync("\(path)/data.mdb")
        try DataFile.sync(path)
    }

    /// Frees the slots of readers whose process died, and answers how many.
    package func clearStaleReaders() throws(LMDBError) -> Int {
        try enter()
        defer { leave() }
        var dead: CInt = 0
        try check(unsafe mdb_reader_check(handle, &dead), "mdb_reader_check")
        return Int(dead)
    }
}
