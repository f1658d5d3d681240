extension Environment {
    /// Waits until no other transaction is opening trees: `mdb_dbi_open` allows one transaction at
    /// a time, until its end.
    func beginOpeningDatabases() {
        gate.when({ !$0.isOpeningDatabases }) { $0.isOpeningDatabases = true }
    }

    /// Lets others open trees. To be called after the transaction's end.
    func endOpeningDatabases() {
        gate.withLock { $0.isOpeningDatabases = false }
    }
}
