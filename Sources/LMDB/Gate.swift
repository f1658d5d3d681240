/// Who is inside the environment, and who must wait.
///
/// A read is inside from before its snapshot is taken until after it is given up.
/// `mdb_env_set_mapsize` unmaps the memory that readers look at, and `mdb_env_close` frees it: both
/// shut the gate and wait until nobody is inside. Only the gate's state knows that; LMDB itself
/// checks nothing.
struct Gate {
    /// Reads, writes, copies and looks at the statistics that are under way.
    var inside = 0
    /// A write transaction is under way.
    var isWriting = false
    /// Whoever comes waits: the map is being replaced.
    var isShut = false
    /// Whoever comes is refused: the environment was closed.
    var isClosed = false
    /// Why nobody may enter again although the environment is open: it lost its map.
    var lost: LMDBError?
    /// A transaction that opened a named tree has not ended.
    var isOpeningDatabases = false
    /// How many transactions that opened trees have ended.
    var databaseGeneration = 0
    /// How many write transactions have ended.
    var writesEnded = 0
    /// Readers that nobody uses, the most recently used last. A snapshot that one of them holds is
    /// the newest.
    var pool: [Reader] = []

    /// Counts one more inside, unless the environment cannot be used any more.
    mutating func enter() throws(LMDBError) -> Int {
        if isClosed {
            throw LMDBError(code: .closed, operation: "Environment", message: "closed")
        }
        if let lost { throw lost }
        inside += 1
        return databaseGeneration
    }

    /// Takes a reader back, and counts one less inside. Its snapshot is kept for the next read
    /// while no write transaction has ended since it was taken.
    mutating func takeBack(_ reader: Reader) {
        if reader.writesEnded != writesEnded { reader.giveUpSnapshot() }
        pool.append(reader)
        inside -= 1
    }

    /// A write transaction ended: later reads must see what it did, and what it gave up must not
    /// be held by a reader that nobody uses.
    mutating func endWrite() {
        isWriting = false
        inside -= 1
        writesEnded += 1
        giveUpSnapshots()
    }

    /// No reader of the pool holds a snapshot any more.
    func giveUpSnapshots() {
        for reader in pool { reader.giveUpSnapshot() }
    }
}
