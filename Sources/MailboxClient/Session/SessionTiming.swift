/// How long a session waits for what, in milliseconds.
public struct SessionTiming: Hashable, Sendable {
    /// For a token, for a connection, for the welcome: each. From 1.
    public var connectMilliseconds: Int64 = 10_000
    /// The first wait after a failure; it doubles with each failure. The wait itself is drawn at
    /// random between nothing and that bound. From 1.
    public var backoffInitialMilliseconds: Int64 = 500
    /// The largest bound. From `backoffInitialMilliseconds`.
    public var backoffMaximumMilliseconds: Int64 = 60_000
    /// A connection that is quiet for so long is asked for a sign of life; without one for as long
    /// again it is given up. From 1.
    public var heartbeatMilliseconds: Int64 = 15_000
    /// A request that is not answered for so long ends the connection: the next one settles what is
    /// in doubt. From 1.
    public var answerMilliseconds: Int64 = 30_000
    /// What waits is asked for so often, though nothing was pushed: pushes are hints, and may be
    /// lost. From 1.
    public var syncMilliseconds: Int64 = 60_000
    /// A new token is asked for so long before the old one expires. From 0.
    public var tokenMarginMilliseconds: Int64 = 60_000

    /// What suits a phone or a desktop.
    public init() {}
}
