/// What a client holds, and did since it was opened.
public struct ClientStatistics: Hashable, Sendable {
    /// Messages in the outbox that the server is not known to have.
    public let waitingCount: Int
    /// Messages that were refused for good and are set aside.
    public let refusedCount: Int
    /// Incoming messages that the app has not confirmed.
    public let unconfirmedCount: Int
    /// Conversations.
    public let conversationCount: Int
    /// Messages that the server accepted.
    public let acceptedCount: Int
    /// Those of them that the server had already.
    public let duplicateCount: Int
    /// Messages that were received and stored.
    public let receivedCount: Int
    /// Messages that came again, and were dropped by their identity.
    public let droppedCount: Int
    /// Connections that were welcomed.
    public let connectionCount: Int
    /// The name that new messages are numbered by.
    public let device: String
}
