import Glibc
import Mailbox
import MailboxClient

/// How the tool ends: after `sysexits.h`, so that scripts can decide by it.
enum ExitStatus: Int32 {
    case success = 0
    /// The store is damaged.
    case problems = 1
    /// `EX_DATAERR`: an argument or input that the store refuses.
    case data = 65
    /// `EX_NOINPUT`: no such store or input file.
    case noInput = 66
    /// `EX_UNAVAILABLE`: locked, overloaded, closed, not reached. Later it may work.
    case unavailable = 69
    /// `EX_SOFTWARE`: an error in the tool itself.
    case software = 70
    /// `EX_IOERR`: reading or writing failed, or no space is left.
    case inputOutput = 74
    /// `EX_TEMPFAIL`: the answer was lost; it may be done once, or not at all.
    case unknown = 75
    /// `EX_NOPERM`: no right to read or write.
    case noPermission = 77
}

/// Why a command could not do what it was asked. Never holds a message's body.
struct Failure: Error, Equatable {
    /// A stable name: a code of `StoreError`, or one of the tool's own.
    let code: String
    /// What happened and what to do.
    let message: String
    /// How the tool ends.
    let status: ExitStatus

    /// The line on standard error.
    var line: String { "mailboxctl: \(code): \(message)" }
}

extension Failure {
    /// Any error as a failure: the store's by its code, all others as an error of the tool.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as StoreError: self.init(store: error)
        case let error as ClientError: self.init(client: error)
        default:
            self.init(code: "internal", message: String(describing: error), status: .software)
        }
    }

    /// What the store refused or failed with.
    init(store error: StoreError) {
        var message = error.message
        if let mailbox = error.facts.mailbox { message += " [\(mailbox)]" }
        if let cause = error.cause { message += " (\(cause))" }
        self.init(
            code: error.code.description, message: message, status: Self.status(of: error.code))
    }

    /// What the client library refused or failed with.
    init(client error: ClientError) {
        let status: ExitStatus
        switch error.code {
        case .invalidArgument, .messageTooLarge, .sequenceExhausted, .databaseTooNew:
            status = .data
        case .outboxFull, .locked, .closed: status = .unavailable
        case .database: status = .inputOutput
        default: status = .software
        }
        var message = error.message
        if let cause = error.cause { message += " (\(cause))" }
        self.init(code: error.code.description, message: message, status: status)
    }

    private static func status(of code: StoreError.Code) -> ExitStatus {
        switch code {
        case .invalidArgument, .messageTooLarge, .producerGap, .producerConflict,
            .sequenceExhausted, .cursorAhead, .epochChanged, .trimmed:
            .data
        case .overloaded, .locked, .closed, .unavailable: .unavailable
        case .unknown: .unknown
        case .storageFull, .failed: .inputOutput
        case .corrupted: .problems
        default: .software
        }
    }

    /// No store, or no backup, in a directory that a command needs one in.
    static func noSuchStore(_ path: String, _ what: String) -> Failure {
        let hint = what == "store" ? "`append` and `replay` create one" : "`backup` makes one"
        return Failure(
            code: "noSuchStore", message: "\(path) holds no \(what); \(hint)", status: .noInput)
    }

    /// A system call on a file that failed, by its `errno`.
    static func file(_ path: String, doing what: String, errno code: Int32) -> Failure {
        let reason = String(cString: strerror(code))
        let message = "cannot \(what) \(path): \(reason)"
        switch code {
        case ENOENT: return Failure(code: "noSuchFile", message: message, status: .noInput)
        case ENOTDIR, EISDIR:
            return Failure(code: "wrongKindOfFile", message: message, status: .noInput)
        case EACCES, EPERM, EROFS:
            return Failure(code: "noPermission", message: message, status: .noPermission)
        default:
            return Failure(code: "inputOutput", message: message, status: .inputOutput)
        }
    }

    /// An argument that can never be accepted.
    static func invalidArgument(_ message: String) -> Failure {
        Failure(store: .invalidArgument(message))
    }
}
