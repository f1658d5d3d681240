/// What the client library refuses or fails with: a code to decide by, a message that says what to
/// do, a cause. Never holds a message's body or a token.
public struct ClientError: Error, Sendable, CustomStringConvertible {
    /// What went wrong, to decide by. New codes may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's stable name.
        public let description: String
        private init(_ name: String) { description = name }

        /// An argument that can never be accepted; nothing was saved.
        public static let invalidArgument = Code("invalidArgument")
        /// A body above the server's limit, as far as it is known; nothing was saved.
        public static let messageTooLarge = Code("messageTooLarge")
        /// The outbox holds as many unsent messages as the configuration allows; nothing was saved.
        public static let outboxFull = Code("outboxFull")
        /// The device has numbered as many messages to this receiver as there are numbers.
        public static let sequenceExhausted = Code("sequenceExhausted")
        /// The database could not be read or written; nothing was saved.
        public static let database = Code("database")
        /// The database is of a newer version of this library; nothing was changed.
        public static let databaseTooNew = Code("databaseTooNew")
        /// Another client object or process has the database.
        public static let locked = Code("locked")
        /// The client was shut down.
        public static let closed = Code("closed")
    }

    /// What went wrong, to decide by.
    public let code: Code
    /// What happened and what to do.
    public let message: String
    /// What it came from, when a lower layer failed.
    public let cause: (any Error)?

    /// An error with everything that is known of it.
    public init(code: Code, message: String, cause: (any Error)? = nil) {
        self.code = code
        self.message = message
        self.cause = cause
    }

    /// `code: message`.
    public var description: String { "\(code): \(message)" }

    static func closed() -> ClientError {
        ClientError(code: .closed, message: "the client was shut down; make a new one")
    }
}
