internal import Glibc
internal import Mailbox

/// The engine's only way to files: each call is one system call, retried on EINTR, with errors in
/// the store's terms.
///
/// The descriptor is owned and closed by `deinit`.
final class File: Sendable {
    let descriptor: CInt
    let path: String

    /// `open(2)` with O_CLOEXEC.
    init(_ path: String, flags: CInt, mode: mode_t = 0o640) throws(StoreError) {
        let descriptor = retrying { unsafe Glibc.open(path, flags | O_CLOEXEC, mode) }
        guard descriptor >= 0 else { throw .path("opening \(path)", code: errno) }
        self.descriptor = descriptor
        self.path = path
    }

    deinit { Glibc.close(descriptor) }

    /// `pwritev(2)` of all pieces, in as many calls as it takes.
    func write(_ pieces: [[UInt8]], at offset: Int) throws(StoreError) {
        var written = 0
        let total = pieces.reduce(0) { $0 + $1.count }
        while written < total {
            let count = unsafe writeSome(pieces, skipping: written, at: offset + written)
            guard count > 0 else {
                throw .system("writing \(path)", code: count == 0 ? ENOSPC : errno)
            }
            written += count
        }
    }

    /// One `pwritev(2)` of what lies behind the first `skipped` bytes.
    @unsafe
    private func writeSome(_ pieces: [[UInt8]], skipping skipped: Int, at offset: Int) -> Int {
        var vectors: [iovec] = unsafe []
        unsafe vectors.reserveCapacity(pieces.count)
        var toSkip = skipped
        for piece in pieces {
            if toSkip >= piece.count {
                toSkip -= piece.count
                continue
            }
            let skip = toSkip
            toSkip = 0
            unsafe piece.withUnsafeBytes { bytes in
                // The arrays outlive the call: `pieces` is held by the caller for its whole length.
                unsafe vectors.append(
                    iovec(
                        iov_base: UnsafeMutableRawPointer(mutating: bytes.baseAddress! + skip),
                        iov_len: bytes.count - skip))
            }
        }
        return withExtendedLifetime(pieces) {
            retrying { unsafe pwritev(descriptor, vectors, CInt(vectors.count), off_t(offset)) }
        }
    }

    /// `pread(2)` until `count` bytes came or the file ended.
    func read(at offset: Int, count: Int) throws(StoreError) -> [UInt8] {
        var failure: CInt = 0
        let bytes = unsafe [UInt8](unsafeUninitializedCapacity: count) { buffer, filled in
            filled = 0
            while filled < count {
                let got = retrying {
                    unsafe pread(
                        descriptor, buffer.baseAddress! + filled, count - filled,
                        off_t(offset + filled))
                }
                if got < 0 { failure = errno }
                if got <= 0 { break }
                filled += got
            }
        }
        guard failure == 0 else { throw .system("reading \(path)", code: failure) }
        return bytes
    }

    /// `fdatasync(2)`: the bytes and what is needed to find them. Never retried: see the contract
    /// on failed syncs.
    func syncData() throws(StoreError) {
        guard fdatasync(descriptor) == 0 || PlantedBug.syncErrorIgnored.isMade else {
            throw .syncFailed(path, code: errno)
        }
    }

    /// `fsync(2)`: the bytes and everything about the file.
    func syncAll() throws(StoreError) {
        guard fsync(descriptor) == 0 else { throw .syncFailed(path, code: errno) }
    }

    /// The file's length in bytes.
    func byteCount() throws(StoreError) -> Int {
        var status = stat()
        guard unsafe fstat(descriptor, &status) == 0 else {
            throw .system("looking at \(path)", code: errno)
        }
        return Int(status.st_size)
    }

    /// Gives the lock of `tryLock` back: for all who have the file open, a child between fork and
    /// exec too.
    func unlock() { flock(descriptor, LOCK_UN) }

    /// `flock(2)`, exclusive, without waiting.
    ///
    /// - Returns: false when another holder has it.
    func tryLock() throws(StoreError) -> Bool {
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { return true }
        if errno == EWOULDBLOCK { return false }
        throw .system("locking \(path)", code: errno)
    }
}

extension StoreError {
    /// A sync that failed: the kernel may have dropped the pages, so nothing may be acknowledged
    /// any more.
    static func syncFailed(_ path: String, code: CInt) -> StoreError {
        StoreError(
            code: .failed,
            message:
                "syncing \(path) failed; what was written may be lost, and nothing more is "
                + "accepted: "
                + "check the disk, then open the store again", cause: SystemError(code: code))
    }
}

/// Calls again as long as a signal interrupts.
@inline(__always)
func retrying<Result: SignedInteger>(_ call: () -> Result) -> Result {
    while true {
        let result = call()
        if result != -1 || errno != EINTR { return result }
    }
}
