#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What must be known about LMDB's data file before LMDB maps it, read with plain reads.
///
/// A mapped page that the file lacks ends the process with SIGBUS when it is touched, so a
/// truncated file has to be found before. It is not simply one that ends before its last page: a
/// page that a transaction took at the end and gave up again is never written, and sound files
/// are short by such pages all the time. Hence every page that a short file lacks must be free.
package struct DataFile: ~Copyable {
    /// One meta page's fields that matter here.
    struct Meta {
        let pageBytes: Int
        let lastPage: Int
        /// Of the free list, and of the other trees; `.max` for one that is empty.
        let roots: [UInt64]
        let flags: [UInt16]
        let transactionID: UInt

        var freeListRoot: Int? { roots[0] == .max ? nil : Int(clamping: roots[0]) }
    }

    static let pageHeaderBytes = 16
    private static let metaBytes = 152

    private let descriptor: CInt
    let byteCount: Int

    private init?(path: String) throws(LMDBError) {
        descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else {
            if errno == ENOENT { return nil }
            throw failure(errno, "open")
        }
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            let error = failure(errno, "fstat")
            _ = close(descriptor)
            throw error
        }
        byteCount = Int(status.st_size)
    }

    deinit {
        _ = close(descriptor)
    }

    /// Throws unless the directory's data file is new, or has every page that it needs.
    ///
    /// What the pages hold is not looked at, but for the list of the free ones.
    package static func check(directory: String) throws(LMDBError) {
        guard let file = try DataFile(path: "\(directory)/data.mdb") else { return }
        guard file.byteCount > 0 else { return }
        let first = try file.meta(at: 0)
        let second = try file.meta(at: first.pageBytes)
        let newest = second.transactionID > first.transactionID ? second : first
        try Self.checkRoots(newest)
        let pagesPresent = file.byteCount / newest.pageBytes
        guard pagesPresent <= newest.lastPage else { return }
        var freeList = FreeList(meta: newest, firstMissing: pagesPresent)
        try freeList.collect(from: file)
        guard freeList.coversMissing else {
            let needed = (newest.lastPage + 1) * newest.pageBytes
            throw damaged("data.mdb has \(file.byteCount) bytes of up to \(needed): truncated")
        }
    }

    /// Decodes the meta page at `offset`, and refuses what LMDB 0.9 did not write.
    private borrowing func meta(at offset: Int) throws(LMDBError) -> Meta {
        let page = try bytes(at: offset, count: Self.metaBytes)
        guard page.flags & 0x08 != 0, page.word32(16) == 0xBEEF_C0DE else {
            throw LMDBError(code: .invalid, operation: "pread", message: "data.mdb")
        }
        guard page.word32(20) == 1 else {
            throw LMDBError(code: .versionMismatch, operation: "pread", message: "data.mdb")
        }
        let pageBytes = Int(page.word32(40))
        let lastPage = page.word64(136)
        guard (512...65536).contains(pageBytes), pageBytes & (pageBytes - 1) == 0,
            lastPage >= 1, lastPage < 1 << 46
        else { throw Self.damaged("data.mdb has a meta page out of range") }
        return Meta(
            pageBytes: pageBytes, lastPage: Int(lastPage),
            roots: [page.word64(80), page.word64(128)],
            flags: [page.word16(44), page.word16(92)], transactionID: UInt(page.word64(144)))
    }

    /// LMDB follows roots without a look at them, and takes flags for what they say.
    ///
    /// Only the newest meta page counts, for LMDB too. One that it fails to write gets its older
    /// number and last page back, and keeps the roots that were to be written.
    private static func checkRoots(_ newest: Meta) throws(LMDBError) {
        let areRootsThere = newest.roots.allSatisfy {
            $0 == .max || ($0 >= 2 && $0 <= UInt64(newest.lastPage))
        }
        guard areRootsThere, newest.flags == [0x08, 0] else {
            throw damaged("data.mdb has a meta page with a root or flags that cannot be")
        }
    }

    /// The bytes at `offset`. Throws `corrupted` when the file has not all of them.
    borrowing func bytes(at offset: Int, count: Int) throws(LMDBError) -> PageBytes {
        guard offset >= 0, count >= 0, count <= byteCount, offset <= byteCount - count else {
            throw Self.damaged("data.mdb has \(byteCount) bytes and lacks those at \(offset)")
        }
        var bytes = [UInt8](repeating: 0, count: count)
        var done = 0
        while done < count {
            let result = unsafe bytes.withUnsafeMutableBytes { buffer in
                unsafe pread(
                    descriptor, buffer.baseAddress.map { unsafe $0 + done }, count - done,
                    off_t(offset + done))
            }
            if result < 0, errno == EINTR { continue }
            guard result >= 0 else { throw failure(errno, "pread") }
            guard result > 0 else { throw Self.damaged("data.mdb became shorter") }
            done += result
        }
        return PageBytes(bytes: bytes)
    }

    static func damaged(_ message: String) -> LMDBError {
        LMDBError(code: .corrupted, operation: "pread", message: message)
    }

    /// Whether the file's file system has so little room that it may have cut a write short.
    static func isFileSystemFull(_ descriptor: CInt) -> Bool {
        var status = statvfs()
        guard unsafe fstatvfs(descriptor, &status) == 0 else { return false }
        let available = Int(clamping: status.f_bavail)
            .multipliedReportingOverflow(by: Int(clamping: status.f_frsize))
        return !available.overflow && available.partialValue < 1 << 20
    }

    /// Makes a file's or a directory's contents durable.
    static func sync(_ path: String) throws(LMDBError) {
        let descriptor = unsafe open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { throw failure(errno, "open") }
        defer { _ = close(descriptor) }
        guard fsync(descriptor) == 0 else { throw failure(errno, "fsync") }
    }
}

/// Bytes of a page in the machine's own byte order, as LMDB writes them.
struct PageBytes {
    let bytes: [UInt8]

    /// The page header's flags.
    var flags: UInt16 { word16(10) }

    func word16(_ offset: Int) -> UInt16 { word(offset) }
    func word32(_ offset: Int) -> UInt32 { word(offset) }
    func word64(_ offset: Int) -> UInt64 { word(offset) }

    private func word<Word: FixedWidthInteger & BitwiseCopyable>(_ offset: Int) -> Word {
        precondition(offset >= 0 && offset <= bytes.count - MemoryLayout<Word>.size)
        return unsafe bytes.withUnsafeBytes {
            unsafe $0.loadUnaligned(fromByteOffset: offset, as: Word.self)
        }
    }
}
