/// What became of a message that was sent.
public enum OutgoingState: Hashable, Sendable {
    /// Safe in the local database; not known to be stored by the server.
    case saved
    /// On the server's stable storage. The sequence is its number in the mailbox; nil when the
    /// server could only say that it is stored.
    case accepted(UInt32?)
    /// Refused for good, and set aside: see `MailboxClient.refusedMessages()`.
    case refused(RefusalReason)
}

/// Why a message can never be accepted.
public enum RefusalReason: Int, Hashable, Sendable {
    /// The server does not take the receiver's address or the message's form.
    case invalidArgument = 1
    /// The body is above the server's limit.
    case messageTooLarge = 2
    /// The mailbox gave out its last sequence.
    case sequenceExhausted = 5
    /// The token does not allow it.
    case forbidden = 13
}
