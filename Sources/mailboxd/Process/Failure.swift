import GRPCCore
import Mailbox

/// How the daemon ends: after `sysexits.h`, so that a supervisor can decide by it.
enum ExitStatus: Int32, CaseIterable {
    case success = 0
    /// `EX_USAGE`: the configuration is not understood.
    case usage = 64
    /// `EX_DATAERR`: the store is damaged.
    case data = 65
    /// `EX_UNAVAILABLE`: an address is taken.
    case unavailable = 69
    /// `EX_SOFTWARE`: an error in the daemon itself.
    case software = 70
    /// `EX_IOERR`: reading or writing failed, or no space is left.
    case inputOutput = 74
    /// `EX_TEMPFAIL`: another process has the store. Later it may work.
    case locked = 75
    /// `EX_NOPERM`: no right to read or write.
    case noPermission = 77
}

/// Why the daemon could not start, or could not end well.
struct Failure: Error {
    /// A stable name: a code of `StoreError`, or one of the daemon's own.
    let code: String
    /// What happened and what to do.
    let message: String
    /// How the daemon ends.
    let status: ExitStatus

    /// The line on standard error.
    var line: String { "mailboxd: \(code): \(message)" }
}

extension Failure {
    /// Everything that is wrong with the configuration.
    static func configuration(_ problems: [String]) -> Failure {
        Failure(
            code: "invalidConfiguration", message: problems.joined(separator: "\n  "),
            status: .usage)
    }

    /// What kept the store from being opened, or closed.
    init(store error: StoreError) {
        var message = error.message
        let cause = error.cause.map { String(describing: $0) }
        if let cause { message += " (\(cause))" }
        let status: ExitStatus =
            switch error.code {
            case _ where cause.map(Self.saysNoPermission) == true: .noPermission
            case .invalidArgument: .usage
            case .locked: .locked
            case .corrupted: .data
            default: .inputOutput
            }
        self.init(code: error.code.description, message: message, status: status)
    }

    private static func saysNoPermission(_ cause: String) -> Bool {
        cause.contains("Permission denied") || cause.contains("Operation not permitted")
            || cause.contains("Read-only file system")
    }

    /// An address that could not be bound.
    static func cannotListen(_ keys: String, _ place: String, _ error: any Error) -> Failure {
        let runtime = (error as? GRPCCore.RuntimeError)?.cause ?? error
        let reason = String(describing: runtime)
        let isDenied = saysNoPermission(reason)
        return Failure(
            code: isDenied ? "noPermission" : "cannotListen",
            message: "cannot listen on \(place) (\(keys)): \(reason)",
            status: isDenied ? .noPermission : .unavailable)
    }

    /// Any error as a failure.
    init(_ error: any Error) {
        switch error {
        case let failure as Failure: self = failure
        case let error as StoreError: self.init(store: error)
        default:
            self.init(code: "internal", message: String(describing: error), status: .software)
        }
    }
}
