#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#endif

/// The file in which LMDB keeps its readers, `lock.mdb`: it writes there through a map.
enum LockFile {
    /// What LMDB keeps of a reader, in bytes; of everything else it keeps two of them.
    private static let readerBytes = 64

    /// Takes the room for the file. A page of a map for which a full file system has no room ends
    /// the process with SIGBUS when it is first written: at the open, or when so many read at once
    /// for the first time.
    ///
    /// Before `mdb_env_open`, never while the environment is open: closing the file lets go of
    /// LMDB's locks. LMDB takes the number of its readers from the file's length, so that is what
    /// it would be. Where a file system takes no room in advance, nothing is done.
    ///
    /// - Throws: `noSpace`, or the `errno` with which the file cannot be opened.
    static func reserve(directory: String, readersMaximum: Int) throws(LMDBError) {
        #if canImport(Glibc) || canImport(Musl)
            let path = "\(directory)/lock.mdb"
            let descriptor = unsafe open(path, O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
            guard descriptor >= 0 else { throw failure(errno, "open lock.mdb") }
            defer { _ = close(descriptor) }
            var code = EINTR
            while code == EINTR {
                code = posix_fallocate(descriptor, 0, off_t(readerBytes * (readersMaximum + 2)))
            }
            guard code == 0 || code == EOPNOTSUPP else {
                throw failure(code, "take the room for lock.mdb")
            }
        #endif
    }
}
