/// What the store knows of a mailbox. Invariant: `floor ≤ acknowledged ≤ max`.
public struct Head: Hashable, Sendable, BitwiseCopyable {
    /// The newest sequence (the CurrMaxSequenceNum), 0 when nothing was ever stored.
    public var max: SequenceNumber
    /// Every sequence up to it is confirmed received.
    public var acknowledged: SequenceNumber
    /// Every sequence up to it may be physically gone.
    public var floor: SequenceNumber
    /// The body bytes of the messages above the floor.
    public var bodyBytes: UInt64
    /// The newest message's timestamp in milliseconds since 1970, 0 when nothing was ever stored.
    public var newestTimestampMilliseconds: Int64

    /// The head of a mailbox as a store reports it.
    public init(
        max: SequenceNumber, acknowledged: SequenceNumber, floor: SequenceNumber,
        bodyBytes: UInt64, newestTimestampMilliseconds: Int64
    ) {
        self.max = max
        self.acknowledged = acknowledged
        self.floor = floor
        self.bodyBytes = bodyBytes
        self.newestTimestampMilliseconds = newestTimestampMilliseconds
    }

    /// The head of a mailbox that nobody wrote to.
    public static let empty = Head(
        max: 0, acknowledged: 0, floor: 0, bodyBytes: 0, newestTimestampMilliseconds: 0)

    /// The messages that wait for a confirmation.
    public var waitingCount: UInt32 { max - acknowledged }
    /// The messages that the store still has.
    public var storedCount: UInt32 { max - floor }
}
