public import CLMDB

#if canImport(Glibc)
    import Glibc
#elseif canImport(Musl)
    import Musl
#else
    import Darwin
#endif

/// What LMDB or the operating system answered instead of success.
///
/// Absence is no error: lookups answer nil or false. `notFound` appears only where a named tree is
/// missing.
@usableFromInline
package struct LMDBError: Error, Sendable, CustomStringConvertible {
    /// An LMDB return code, or an `errno` that LMDB passed through.
    @usableFromInline
    package struct Code: Hashable, Sendable {
        package let rawValue: Int32

        package init(rawValue: Int32) {
            self.rawValue = rawValue
        }

        /// `MDB_KEYEXIST`.
        package static let keyExists = Code(rawValue: MDB_KEYEXIST)
        /// `MDB_NOTFOUND`: a named tree that is missing, or whose record in the main tree was lost.
        package static let notFound = Code(rawValue: MDB_NOTFOUND)
        /// `MDB_PAGE_NOTFOUND`: a page is referred to that does not exist.
        package static let pageNotFound = Code(rawValue: MDB_PAGE_NOTFOUND)
        /// `MDB_CORRUPTED`: a page of the wrong kind, or a record that its reader cannot decode.
        package static let corrupted = Code(rawValue: MDB_CORRUPTED)
        /// `MDB_PANIC`: the environment had a fatal error; it must be closed and opened again.
        package static let panic = Code(rawValue: MDB_PANIC)
        /// `MDB_VERSION_MISMATCH`: the file's format is of another version of LMDB.
        package static let versionMismatch = Code(rawValue: MDB_VERSION_MISMATCH)
        /// `MDB_INVALID`: the file is no LMDB data file.
        package static let invalid = Code(rawValue: MDB_INVALID)
        /// `MDB_MAP_FULL`: the map's size is used up; see `Environment.growMap(to:)`.
        package static let mapFull = Code(rawValue: MDB_MAP_FULL)
        /// `MDB_DBS_FULL`: more named trees than `databasesMaximum`.
        package static let databasesFull = Code(rawValue: MDB_DBS_FULL)
        /// `MDB_READERS_FULL`: more simultaneous readers than `readersMaximum`.
        package static let readersFull = Code(rawValue: MDB_READERS_FULL)
        /// `MDB_TXN_FULL`: one transaction changed too many pages.
        package static let transactionFull = Code(rawValue: MDB_TXN_FULL)
        /// `MDB_CURSOR_FULL`: a tree too deep for a cursor, which only damage can make.
        package static let cursorFull = Code(rawValue: MDB_CURSOR_FULL)
        /// `MDB_PAGE_FULL`: a page without the room that it should have, which only damage can
        /// make.
        package static let pageFull = Code(rawValue: MDB_PAGE_FULL)
        /// `MDB_MAP_RESIZED`: another process grew the data file beyond this map.
        package static let mapResized = Code(rawValue: MDB_MAP_RESIZED)
        /// `MDB_INCOMPATIBLE`: an operation or a flag that does not fit the tree.
        package static let incompatible = Code(rawValue: MDB_INCOMPATIBLE)
        /// `MDB_BAD_RSLOT`: a reader slot used twice.
        package static let badReaderSlot = Code(rawValue: MDB_BAD_RSLOT)
        /// `MDB_BAD_TXN`: the transaction failed before and can only be abandoned.
        package static let badTransaction = Code(rawValue: MDB_BAD_TXN)
        /// `MDB_BAD_VALSIZE`: an empty key, one longer than 511 bytes, or a value too long.
        package static let badValueSize = Code(rawValue: MDB_BAD_VALSIZE)
        /// `MDB_BAD_DBI`: the database handle was changed under the transaction.
        package static let badDatabase = Code(rawValue: MDB_BAD_DBI)
        /// `ENOSPC`: the file system is full.
        package static let noSpace = Code(rawValue: ENOSPC)
        /// `EIO`: the device failed.
        package static let ioError = Code(rawValue: EIO)
        /// `EAGAIN`: another process holds what is needed.
        package static let again = Code(rawValue: EAGAIN)
        /// `EBUSY`: what is needed is in use.
        package static let busy = Code(rawValue: EBUSY)
        /// `EACCES`: no permission, or a write to what was opened for reading.
        package static let accessDenied = Code(rawValue: EACCES)
        /// `ENOENT`: the directory does not exist.
        package static let noSuchFile = Code(rawValue: ENOENT)
        /// `EEXIST`: the file exists already.
        package static let fileExists = Code(rawValue: EEXIST)
        /// `ENOMEM`: no memory or no address space.
        package static let noMemory = Code(rawValue: ENOMEM)
        /// `EINVAL`: an argument out of its range, such as a database handle that is not open.
        package static let invalidArgument = Code(rawValue: EINVAL)
        /// `ESHUTDOWN`: the environment was closed.
        package static let closed = Code(rawValue: ESHUTDOWN)
    }

    /// What went wrong.
    package let code: Code
    /// The C function that answered it.
    package let operation: StaticString
    /// What the code alone does not tell; never a record's contents.
    package let message: String?

    package init(code: Code, operation: StaticString, message: String? = nil) {
        self.code = code
        self.operation = operation
        self.message = message
    }

    /// For callers that find a record which they cannot decode. The message names the place, never
    /// the contents.
    package static func corrupted(_ message: String) -> LMDBError {
        LMDBError(code: .corrupted, operation: "decode", message: message)
    }

    /// The operation, LMDB's own words for the code, the code and the message.
    @usableFromInline
    package var description: String {
        let reason = unsafe String(cString: mdb_strerror(code.rawValue))
        let text = "\(operation): \(reason) (\(code.rawValue))"
        return message.map { "\(text): \($0)" } ?? text
    }
}

/// The one place where a C return code becomes an error.
@inlinable
@inline(__always)
func check(_ result: CInt, _ operation: StaticString) throws(LMDBError) {
    if result != MDB_SUCCESS { throw failure(result, operation) }
}

/// Kept out of line: the callers' fast paths stay small.
@inline(never)
@usableFromInline
func failure(_ result: CInt, _ operation: StaticString) -> LMDBError {
    LMDBError(code: LMDBError.Code(rawValue: result), operation: operation)
}
