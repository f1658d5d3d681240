extension Environment {
    /// Waits until no other transaction is opening trees, and is then the one that does.
    ///
    /// A transaction learns which handles exist when it begins, and `mdb_dbi_open` takes the first
    /// that it believes free. 0.9.24 checks nothing: were another tree opened meanwhile, both would
    /// share one handle, and each would read and write the other's records. So the transactions
    /// that open trees take turns until their ends, and one that began before the last of them
    /// ended is refused with `busy`.
    func beginOpeningDatabases(since generation: Int) throws(LMDBError) {
        let isCurrent = gate.when({ !$0.isOpeningDatabases }) { gate in
            let isCurrent = gate.databaseGeneration == generation
            if isCurrent { gate.isOpeningDatabases = true }
            return isCurrent
        }
        if !isCurrent {
            throw LMDBError(
                code: .busy, operation: "mdb_dbi_open",
                message: "another transaction opened a tree since this one began")
        }
    }

    /// Lets others open trees. To be called after the transaction's end.
    func endOpeningDatabases() {
        gate.withLock { gate in
            gate.isOpeningDatabases = false
            gate.databaseGeneration += 1
        }
    }
}
