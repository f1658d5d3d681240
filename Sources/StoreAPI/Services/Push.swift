public import Mailbox

/// A hint to the online devices of an account: it brings the message itself, or says that there is
/// one.
///
/// A push may come twice, out of order, or never. A device that holds sequence − 1 of the same
/// epoch applies the message at once; any other one fetches.
public struct Push: Hashable, Sendable {
    /// What the push brings.
    public enum Content: Hashable, Sendable {
        /// The message, as a fetch brings it.
        case message(Message)
        /// A message that is too large to be pushed, or of which not all is known: this is the
        /// newest sequence that the server knew.
        case notice(max: SequenceNumber)
    }

    /// The mailbox. Its receiver is the account whose devices are meant.
    public var mailbox: MailboxID
    /// The epoch that the sequence belongs to.
    public var epoch: Epoch
    /// What the push brings.
    public var content: Content

    /// A hint to the online devices of the mailbox's receiver.
    public init(mailbox: MailboxID, epoch: Epoch, content: Content) {
        self.mailbox = mailbox
        self.epoch = epoch
        self.content = content
    }

    /// The message's sequence, or the newest one that was known.
    public var sequence: SequenceNumber {
        switch content {
        case .message(let message): message.sequence
        case .notice(let max): max
        }
    }
}
