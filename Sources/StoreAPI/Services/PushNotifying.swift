/// Where SendSrv hands over what the store has made durable.
///
/// A push is a hint, and a fetch is the truth: nothing waits for a push, and nothing is lost with
/// one.
public protocol PushNotifying: Sendable {
    /// Takes a stored message, and returns at once.
    ///
    /// What waits is bounded; what comes when it is full is dropped and counted. The devices then
    /// hear of the message with the next one, or fetch it when they connect.
    ///
    /// - Parameter push: the message, as it was stored.
    func notify(_ push: Push)

    /// Messages may have been stored that nobody hands over, nobody knows which: PushSrv is to look
    /// at the heads of all who are online, and of all devices that are registered. Returns at once.
    func noteLoss()
}

/// A PushSrv that nobody runs: every push is dropped.
public struct NoPush: PushNotifying {
    /// Nothing to set.
    public init() {}

    /// Drops the push.
    public func notify(_ push: Push) {}

    /// Nobody looks.
    public func noteLoss() {}
}
