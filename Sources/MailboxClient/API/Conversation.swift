import Mailbox

/// One peer's conversation, as a list of conversations shows it.
public struct Conversation: Hashable, Sendable, Identifiable {
    /// Who the other one is.
    public let peer: String
    /// Everything of the peer through this sequence is held, or was confirmed by another device.
    public let heldSequence: UInt32
    /// The newest sequence of the peer that the server told of.
    public let newestSequence: UInt32
    /// Messages that the app has not confirmed.
    public let unreadCount: Int
    /// The newest message, either way; nil when there is none.
    public let newestMessage: StoredMessage?

    /// The peer.
    public var id: String { peer }
}

/// A message in the local database.
public struct StoredMessage: Hashable, Sendable, Identifiable {
    /// Who it came from or goes to.
    public enum Direction: Hashable, Sendable {
        /// From the peer; whether the app has confirmed it.
        case incoming(isConfirmed: Bool)
        /// To the peer, and what became of it.
        case outgoing(OutgoingState)
    }

    /// Its number in the local database, from 1: rises in the order of arrival and of sending.
    public let id: Int64
    /// Who the other one is.
    public let peer: String
    /// Which way it went.
    public let direction: Direction
    /// Its number in the mailbox, from 1; nil while it is not known.
    public let sequence: UInt32?
    /// Milliseconds since 1970: when the server stored it, or when it was saved here.
    public let timestampMilliseconds: Int64
    /// Its bytes.
    public let body: [UInt8]
}
