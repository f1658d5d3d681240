internal import Glibc
internal import LMDB
internal import Mailbox

/// The system's words for an errno, as the cause of a `StoreError`.
struct SystemError: Error, CustomStringConvertible {
    let code: CInt
    let description: String

    init(code: CInt) {
        self.code = code
        description = unsafe String(cString: strerror(code))
    }
}

extension StoreError {
    /// Maps what a path was refused for: no rights, and nothing there, are the caller's to mend.
    static func path(_ doing: String, code: CInt) -> StoreError {
        let cause = SystemError(code: code)
        switch code {
        case EACCES, EPERM, EROFS:
            return StoreError(
                code: .invalidArgument,
                message: "\(doing): this user may not do that; check the owner and the rights",
                cause: cause)
        case ENOENT, ENOTDIR, EISDIR, ENAMETOOLONG, ELOOP, EEXIST, ENOTEMPTY:
            return StoreError(
                code: .invalidArgument, message: "\(doing): check the path", cause: cause)
        default: return .system(doing, code: code)
        }
    }

    /// Maps an errno of a file that is open: no space is `storageFull`, the rest is `failed`.
    static func system(_ doing: String, code: CInt) -> StoreError {
        let cause = SystemError(code: code)
        switch code {
        case ENOSPC, EDQUOT, EFBIG:
            return StoreError(
                code: .storageFull,
                message: "\(doing): no space is left on the device; free some and try again",
                cause: cause)
        default:
            return StoreError(
                code: .failed,
                message: "\(doing) failed; check the disk, then open the store again", cause: cause)
        }
    }

    /// Maps what the data file's library says.
    init(_ error: LMDBError) {
        switch error.code {
        case .mapFull, .noSpace:
            self.init(
                code: .storageFull,
                message:
                    "the data file has no space left; compact, free space or raise mapBytesMaximum",
                cause: error)
        case .readersFull:
            self.init(
                code: .overloaded, message: "all reader slots are in use; try again", cause: error)
        case .corrupted, .versionMismatch, .invalid, .notFound, .pageNotFound, .cursorFull,
            .pageFull,
            .incompatible:
            self.init(
                code: .corrupted,
                message: "the data file is damaged; run verify, and restore from a backup",
                cause: error)
        default:
            self.init(
                code: .failed,
                message:
                    "the data file could not be read or written; check the disk, then open the "
                    + "store again", cause: error)
        }
    }
}

/// Runs a piece of work on the data file and answers its errors in the store's terms.
@inline(__always)
func onBase<Result>(
    _ body: () throws(LMDBError) -> Result
) throws(StoreError) -> Result {
    do {
        return try body()
    } catch {
        throw StoreError(error)
    }
}
