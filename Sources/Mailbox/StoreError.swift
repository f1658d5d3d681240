/// What a store refuses or fails with: a code to decide by, a message that says what to do, the
/// facts, a cause.
///
/// An operation that throws changed nothing, unless its documentation says otherwise.
public struct StoreError: Error, Sendable {
    /// What went wrong, to decide by. New codes may be added.
    public struct Code: Hashable, Sendable, CustomStringConvertible {
        /// The code's stable name, as it stands in the contract.
        public let description: String
        private init(_ name: String) { description = name }

        /// An argument that can never be accepted; correct the call.
        public static let invalidArgument = Code("invalidArgument")
        /// A body above the store's limit.
        public static let messageTooLarge = Code("messageTooLarge")
        /// A client sequence above the next one; `expectedClientSequence` says which that is.
        public static let producerGap = Code("producerGap")
        /// A client sequence that was stored with other bytes.
        public static let producerConflict = Code("producerConflict")
        /// The mailbox gave out its last sequence.
        public static let sequenceExhausted = Code("sequenceExhausted")
        /// A cursor above the newest sequence; `maxSequence` says which that is.
        public static let cursorAhead = Code("cursorAhead")
        /// A cursor of another epoch; `currentEpoch` says the store's.
        public static let epochChanged = Code("epochChanged")
        /// A read from below the floor; `floor` says where it is.
        public static let trimmed = Code("trimmed")
        /// A bounded queue is full; try again.
        public static let overloaded = Code("overloaded")
        /// No space for more messages; reads and acknowledgements go on.
        public static let storageFull = Code("storageFull")
        /// Bytes on disk are not what was written.
        public static let corrupted = Code("corrupted")
        /// A write or sync failed: the store takes no more writes until it is opened again.
        public static let failed = Code("failed")
        /// Another process or store object has the directory.
        public static let locked = Code("locked")
        /// The store was closed.
        public static let closed = Code("closed")

        // A client's, never a store's.

        /// From a client of a store behind a network: the connection was lost, or the wait was
        /// given up, when the call was under way. What it asked for was done once, or not at all.
        public static let unknown = Code("unknown")
        /// From a client of a store behind a network: it could not be reached in time. Nothing was
        /// sent.
        public static let unavailable = Code("unavailable")

        /// Every code that a store answers with.
        package static let ofStores: [Code] = [
            .invalidArgument, .messageTooLarge, .producerGap, .producerConflict,
            .sequenceExhausted, .cursorAhead, .epochChanged, .trimmed, .overloaded, .storageFull,
            .corrupted, .failed, .locked, .closed,
        ]
    }

    private final class Storage: Sendable {
        let code: Code
        let message: String
        let cause: (any Error)?
        let facts: Facts
        init(code: Code, message: String, cause: (any Error)?, facts: Facts) {
            self.code = code
            self.message = message
            self.cause = cause
            self.facts = facts
        }
    }

    /// What a caller needs to go on, beside the code. Each is set by the codes that name it.
    public struct Facts: Hashable, Sendable {
        /// With `producerGap`: the client sequence that would be accepted.
        public var expectedClientSequence: ClientSequence?
        /// With `cursorAhead`: the mailbox's newest sequence.
        public var maxSequence: SequenceNumber?
        /// With `epochChanged`: the store's epoch.
        public var currentEpoch: Epoch?
        /// With `trimmed`: everything through it may be gone.
        public var floor: SequenceNumber?
        /// The mailbox that the refusal is about, where a call named several.
        public var mailbox: MailboxID?

        /// No facts.
        public init() {}
    }

    // Held behind one reference: an error that rides in every result must not widen it.
    private let storage: Storage

    /// An error with everything that is known of it.
    public init(
        code: Code, message: String, cause: (any Error)? = nil, facts: Facts = Facts()
    ) {
        storage = Storage(code: code, message: message, cause: cause, facts: facts)
    }

    /// What went wrong, to decide by.
    public var code: Code { storage.code }
    /// What happened and what to do; without message bodies.
    public var message: String { storage.message }
    /// What it came from, when a lower layer failed.
    public var cause: (any Error)? { storage.cause }
    /// What a caller needs to go on.
    public var facts: Facts { storage.facts }

    /// The same error, saying which mailbox it is about.
    public func about(_ mailbox: MailboxID) -> StoreError {
        var facts = facts
        facts.mailbox = mailbox
        return StoreError(code: code, message: message, cause: cause, facts: facts)
    }
}

extension StoreError: CustomStringConvertible {
    /// `code: message (cause)`, with the mailbox where one is known.
    public var description: String {
        var text = "\(code): \(message)"
        if let mailbox = facts.mailbox { text += " [\(mailbox)]" }
        if let cause { text += " (\(cause))" }
        return text
    }
}

extension StoreError {
    /// An argument that can never be accepted.
    public static func invalidArgument(_ message: String) -> StoreError {
        StoreError(code: .invalidArgument, message: message)
    }

    /// A body of `bytes` where the store takes `limit`.
    public static func messageTooLarge(bytes: Int, limit: Int) -> StoreError {
        StoreError(
            code: .messageTooLarge,
            message: "the body has \(bytes) bytes; this store takes at most \(limit) a message")
    }

    /// A client sequence that skips one.
    public static func producerGap(expected: ClientSequence) -> StoreError {
        var facts = Facts()
        facts.expectedClientSequence = expected
        return StoreError(
            code: .producerGap,
            message:
                "an earlier message of this device is missing; send client sequence \(expected) "
                + "first",
            facts: facts)
    }

    /// A client sequence that was stored with other bytes.
    public static func producerConflict(clientSequence: ClientSequence) -> StoreError {
        StoreError(
            code: .producerConflict,
            message:
                "client sequence \(clientSequence) of this device was stored with other bytes; "
                + "a device that lost its numbering must take a new identity")
    }

    /// The mailbox gave out sequence 4 294 967 295.
    public static func sequenceExhausted() -> StoreError {
        StoreError(
            code: .sequenceExhausted,
            message: "this mailbox has given out its last sequence; it takes no more messages")
    }

    /// A cursor above `max`.
    public static func cursorAhead(max: SequenceNumber) -> StoreError {
        var facts = Facts()
        facts.maxSequence = max
        return StoreError(
            code: .cursorAhead,
            message: "the cursor is above the mailbox's newest sequence, \(max); "
                + "the store lost data or the cursor is another mailbox's",
            facts: facts)
    }

    /// A cursor of another epoch than `current`.
    public static func epochChanged(current: Epoch) -> StoreError {
        var facts = Facts()
        facts.currentEpoch = current
        return StoreError(
            code: .epochChanged,
            message: "the cursor is of another epoch than the store's, \(current); "
                + "synchronise again from cursor 0 and drop what is already held",
            facts: facts)
    }

    /// A read that starts below `floor`.
    public static func trimmed(floor: SequenceNumber) -> StoreError {
        var facts = Facts()
        facts.floor = floor
        return StoreError(
            code: .trimmed,
            message:
                "messages through \(floor) were removed after their confirmation; read after "
                + "\(floor)",
            facts: facts)
    }

    /// The store was closed.
    public static func closed() -> StoreError {
        StoreError(code: .closed, message: "the store was closed; open it again")
    }

    /// Bytes on disk are not what was written.
    public static func corrupted(_ message: String) -> StoreError {
        StoreError(code: .corrupted, message: message)
    }
}
