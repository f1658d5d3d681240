/// How a client works.
public struct ClientConfiguration: Sendable {
    /// What the program calls itself in the server's log; at most 128 bytes.
    public var program = "MailboxClient"
    /// Waits of the session.
    public var timing = SessionTiming()
    /// The most sends without an answer at once; the server's own limit holds, too. From 1.
    public var sendsInFlightMaximum = 256
    /// The most body bytes of sends without an answer, but for one message that is larger. From 1.
    public var sendBytesInFlightMaximum = 1 << 20
    /// The most messages in one answer of the server. From 1.
    public var pageMessagesMaximum = 500
    /// The most body bytes in one answer of the server. From 1.
    public var pageBytesMaximum = 1 << 20
    /// The most messages that may wait in the outbox; then `send` throws `outboxFull`. From 1.
    public var outboxMessagesMaximum = 1_000_000
    /// The most events that wait for the app; beyond it the oldest are dropped. From 1.
    public var eventsMaximum = 1_000
    /// A seed for jitter and device names: for tests alone, since two devices that share it share
    /// their name.
    public var seed: UInt64?

    /// What suits a phone or a desktop.
    public init() {}
}
