import CLMDB
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

extension Environment {
    /// Runs `body` in a write transaction, on the writer's thread, and commits what it did; if it
    /// throws, nothing of it happened. When this returns, the changes are durable and every later
    /// read sees them.
    ///
    /// `mapFull`, `transactionFull` and `noSpace` leave the environment as it was: make room and
    /// write again. After a commit that failed otherwise, every later write throws that first
    /// failure: the kernel may have dropped what it could not write, and a later sync that succeeds
    /// proves nothing about it. Reads go on, unless LMDB itself found that it could not write its
    /// meta page: then they throw `panic`.
    @inlinable
    package func write<R: ~Copyable>(
        _ body: (inout WriteTransaction) throws(LMDBError) -> R
    ) throws(LMDBError) -> R {
        var transaction = try beginWrite()
        let result: R
        do throws(LMDBError) {
            result = try body(&transaction)
        } catch {
            abortWrite(transaction)
            throw classified(error)
        }
        try commitWrite(transaction)
        return result
    }

    /// The failure that every write now answers, nil while commits can be trusted.
    package var firstCommitFailure: LMDBError? {
        poison.withLock { $0 }
    }

    @usableFromInline
    func beginWrite() throws(LMDBError) -> WriteTransaction {
        precondition(isWriterThread, "only the writer's thread may write")
        if let failure = firstCommitFailure { throw failure }
        let generation = try enter()
        var transaction: OpaquePointer?
        let result = unsafe mdb_txn_begin(handle, nil, 0, &transaction)
        guard result == MDB_SUCCESS, let transaction = unsafe transaction else {
            leave()
            throw failure(result, "mdb_txn_begin")
        }
        gate.withLock { $0.isWriting = true }
        return unsafe WriteTransaction(
            handle: transaction, environment: self, databaseGeneration: generation)
    }

    @usableFromInline
    func abortWrite(_ transaction: consuming WriteTransaction) {
        unsafe mdb_txn_abort(transaction.handle)
        endWrite(openedDatabases: transaction.opensDatabases)
    }

    @usableFromInline
    func commitWrite(_ transaction: consuming WriteTransaction) throws(LMDBError) {
        // It frees the handle even when it fails: nothing is left to abort.
        let result = unsafe mdb_txn_commit(transaction.handle)
        endWrite(openedDatabases: transaction.opensDatabases)
        guard result != MDB_SUCCESS else { return }
        let failure = classified(failure(result, "mdb_txn_commit"))
        if !Self.isHarmless(failure.code) {
            poison.withLock { $0 = $0 ?? failure }
        }
        throw failure
    }

    /// Tells a full file system from a failing device: when the file system takes only a part of a
    /// write, 0.9.24 answers EIO for it, in a commit or in a change that had to spill pages.
    @usableFromInline
    func classified(_ error: LMDBError) -> LMDBError {
        let quotaExceeded = LMDBError.Code(rawValue: EDQUOT)
        guard error.code == quotaExceeded || (error.code == .ioError && isFileSystemFull()) else {
            return error
        }
        return LMDBError(
            code: .noSpace, operation: error.operation, message: "was \(error.code.rawValue)")
    }

    private func isFileSystemFull() -> Bool {
        var descriptor: CInt = -1
        guard unsafe mdb_env_get_fd(handle, &descriptor) == MDB_SUCCESS else { return false }
        return DataFile.isFileSystemFull(descriptor)
    }

    /// Whether a commit that failed like this was refused before it could leave the file in doubt.
    static func isHarmless(_ code: LMDBError.Code) -> Bool {
        [.mapFull, .transactionFull, .noSpace, .badTransaction].contains(code)
    }

    private func endWrite(openedDatabases: Bool) {
        if openedDatabases { endOpeningDatabases() }
        gate.withLock { $0.endWrite() }
    }
}
