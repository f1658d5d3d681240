import CLMDB
import Synchronization

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// One LMDB environment: a directory with `data.mdb` and `lock.mdb`, opened once in this process.
///
/// Any thread may read. One thread writes: the first that called `adoptWriterThread()`; LMDB's
/// writer lock belongs to the thread that took it. Every commit is durable when `write` returns: no
/// flag weakens it.
///
/// Programmer errors, met by a failed precondition: writing, or growing the map, on another thread.
/// Not detected, and a deadlock: closing or growing the map from inside a read, and reading inside
/// a read while another thread does so.
@safe
@usableFromInline
package final class Environment: Sendable {
    /// How an environment is opened.
    package struct Options: Sendable {
        /// The size of the memory map in bytes, a multiple of the page size: the most that the data
        /// file can grow to. Raised to the file's own size when that is larger.
        package var mapBytes: Int
        /// The most reads at one time.
        package var readersMaximum: Int
        /// The most named trees.
        package var databasesMaximum: Int
        /// Opens without the right to write.
        package var readOnly: Bool

        package init(
            mapBytes: Int, readersMaximum: Int, databasesMaximum: Int, readOnly: Bool = false
        ) {
            self.mapBytes = mapBytes
            self.readersMaximum = readersMaximum
            self.databasesMaximum = databasesMaximum
            self.readOnly = readOnly
        }
    }

    /// `MDB_env` is safe to share between threads; what is not is guarded by `gate` and by the
    /// writer's thread.
    nonisolated(unsafe) let handle: OpaquePointer
    let gate = Monitor(Gate())
    /// The first failure after which no commit can be trusted.
    let poison = Mutex<LMDBError?>(nil)
    /// `pthread_self()` of the thread that writes, 0 as long as there is none.
    let writerThread = Atomic<UInt>(0)
    /// The most reads at one time.
    package let readersMaximum: Int
    /// Where records may lie that a read, and a write transaction, is shown.
    @usableFromInline let readBounds: PageBounds
    @usableFromInline let writeBounds: PageBounds

    /// Opens the environment in an existing directory; its files are made if it has none.
    ///
    /// Throws `corrupted` when the data file is shorter than its last page says: touching a page
    /// that the file lacks would end the process with SIGBUS. Throws `invalid` or `versionMismatch`
    /// for other files.
    package init(path: String, options: Options) throws(LMDBError) {
        precondition(
            options.mapBytes > 0 && options.readersMaximum > 0 && options.databasesMaximum > 0)
        try DataFile.check(directory: path)
        if !options.readOnly {
            try LockFile.reserve(directory: path, readersMaximum: options.readersMaximum)
        }
        var created: OpaquePointer?
        try check(unsafe mdb_env_create(&created), "mdb_env_create")
        guard let created = unsafe created else { throw failure(ENOMEM, "mdb_env_create") }
        var shape = MDB_stat()
        do throws(LMDBError) {
            unsafe try Self.open(created, path, options)
            try check(unsafe mdb_env_stat(created, &shape), "mdb_env_stat")
        } catch {
            // A failed mdb_env_open leaves descriptors and memory behind that only this gives back.
            unsafe mdb_env_close(created)
            throw error
        }
        unsafe handle = unsafe created
        readersMaximum = options.readersMaximum
        let machine = sysconf(CInt(_SC_PAGESIZE))
        let pageBytes = Int(shape.ms_psize)
        readBounds = PageBounds(
            pageBytes: pageBytes, machinePageBytes: machine, isWriting: false)
        writeBounds = PageBounds(
            pageBytes: pageBytes, machinePageBytes: machine, isWriting: true)
    }

    private static func open(
        _ handle: OpaquePointer, _ path: String, _ options: Options
    ) throws(LMDBError) {
        try check(
            unsafe mdb_env_set_mapsize(handle, options.mapBytes), "mdb_env_set_mapsize")
        try check(
            unsafe mdb_env_set_maxreaders(handle, UInt32(clamping: options.readersMaximum)),
            "mdb_env_set_maxreaders")
        try check(
            unsafe mdb_env_set_maxdbs(handle, MDB_dbi(clamping: options.databasesMaximum)),
            "mdb_env_set_maxdbs")
        // NOTLS ties a reader slot to its transaction, not to its thread: readers are pooled and
        // may be renewed by any thread.
        var flags = MDB_NOTLS
        if options.readOnly { flags |= MDB_RDONLY }
        try check(unsafe mdb_env_open(handle, path, UInt32(flags), 0o600), "mdb_env_open")
    }

    deinit {
        close()
    }

    /// Refuses whoever comes, waits for whoever is inside, and closes. Again: does nothing.
    package func close() {
        let isFirst = gate.withLock { gate in
            defer { gate.isClosed = true }
            return !gate.isClosed
        }
        guard isFirst else { return }
        let pool = gate.when({ $0.inside == 0 }) { gate in
            defer { gate.pool = [] }
            return gate.pool
        }
        for reader in pool { reader.abort() }
        unsafe mdb_env_close(handle)
    }

    /// Whether this thread is the one that writes.
    package var isWriterThread: Bool {
        writerThread.load(ordering: .relaxed) == Self.currentThread
    }

    /// Makes this thread the one that writes, for as long as the environment is open. The first
    /// call decides; a later one on another thread is a programmer error.
    package func adoptWriterThread() {
        let thread = Self.currentThread
        let (won, owner) = writerThread.compareExchange(
            expected: 0, desired: thread, ordering: .relaxed)
        precondition(won || owner == thread, "the environment has a writer thread already")
    }

    private static var currentThread: UInt {
        #if canImport(Darwin)
            return UInt(bitPattern: unsafe pthread_self())
        #else
            return UInt(pthread_self())
        #endif
    }
}
