#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What must be known about, or done to, LMDB's files outside LMDB.
enum DataFile {
    static func check(directory: String) throws(LMDBError) {}

    /// Makes a file's or a directory's contents durable.
    static func sync(_ path: String) throws(LMDBError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, "open") }
        defer { _ = close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(errno, "fsync") }
    }
}
