internal import ClientWire
internal import Mailbox

extension Mailbox_Client_V1_Refused {
    /// A refusal by this server itself.
    init(_ code: RefusalCode, _ message: String, retryAfterMilliseconds: Int64? = nil) {
        self.init()
        self.code = code
        self.message = message
        if let retryAfterMilliseconds {
            self.retryAfterMilliseconds = UInt32(clamping: retryAfterMilliseconds)
        }
    }

    /// A refusal by a service behind. What a failure came from stays in this server's log.
    init(_ error: StoreError, account: Address) {
        self.init()
        switch error.code {
        case .invalidArgument: self = Refused(.invalidArgument, error.message)
        case .messageTooLarge: self = Refused(.messageTooLarge, error.message)
        case .producerGap: self = Refused(.producerGap, error.message)
        case .producerConflict: self = Refused(.producerConflict, error.message)
        case .sequenceExhausted: self = Refused(.sequenceExhausted, error.message)
        case .cursorAhead: self = Refused(.cursorAhead, error.message)
        case .epochChanged: self = Refused(.epochChanged, error.message)
        case .trimmed: self = Refused(.trimmed, error.message)
        case .overloaded:
            self = Refused(
                .overloaded, "too much waits already; try again", retryAfterMilliseconds: 100)
        case .storageFull:
            self = Refused(
                .storageFull, "there is no space for more messages; try again later",
                retryAfterMilliseconds: 5_000)
        case .unavailable, .unknown, .closed, .locked, .failed:
            self = Refused(
                .unavailable, "a service behind this one does not answer; try again",
                retryAfterMilliseconds: 1_000)
        default: self = Refused(.internal, "the server failed", retryAfterMilliseconds: 5_000)
        }
        let facts = error.facts
        if let expected = facts.expectedClientSequence { expectedClientSequence = expected }
        if let max = facts.maxSequence { maxSequence = max }
        if let epoch = facts.currentEpoch { currentEpoch = epoch.rawValue }
        if let floor = facts.floor { self.floor = floor }
        if let mailbox = facts.mailbox {
            let other = mailbox.sender == account ? mailbox.receiver : mailbox.sender
            peer = other.description
        }
    }
}

extension Mailbox_Client_V1_RefusalCode {
    /// In lower-case words, for metrics.
    var shortName: String {
        switch self {
        case .unspecified: "unspecified"
        case .invalidArgument: "invalid_argument"
        case .messageTooLarge: "message_too_large"
        case .producerGap: "producer_gap"
        case .producerConflict: "producer_conflict"
        case .sequenceExhausted: "sequence_exhausted"
        case .cursorAhead: "cursor_ahead"
        case .epochChanged: "epoch_changed"
        case .trimmed: "trimmed"
        case .overloaded: "overloaded"
        case .storageFull: "storage_full"
        case .unavailable: "unavailable"
        case .unauthenticated: "unauthenticated"
        case .forbidden: "forbidden"
        case .internal: "internal"
        case .UNRECOGNIZED(let number): "\(number)"
        }
    }
}
