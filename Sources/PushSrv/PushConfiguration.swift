internal import StoreAPI

/// What PushSrv may hold, how patient it is, and what its notifications say.
public struct PushConfiguration: Sendable {
    /// What a notification tells beside the number of unread messages.
    public enum Content: String, Sendable, CaseIterable {
        /// Nothing.
        case none
        /// Who sent the newest message.
        case sender
        /// Who sent it, and its text, if it is text: it passes through somebody else's servers.
        case body
    }

    /// The file of the registry of devices.
    public var registryPath: String
    /// Devices of one account that may be registered.
    public var devicesPerAccountMaximum = 32
    /// Pushes that wait to be looked at for devices that are not online, or for an instance of
    /// ConnectSrv to take them; of what comes above it only the newest of each mailbox is kept.
    public var pushesWaitingMaximum = 65_536
    /// Their bytes.
    public var waitingBytesMaximum = 64 << 20
    /// When too much waited even for that: the shortest time between two looks at what all
    /// registered devices are owed.
    public var lookAgainDelay = Duration.seconds(30)
    /// Devices that are owed a notification; above it the others hear with their next message.
    public var owedMaximum = 100_000
    /// Notifications under way at once.
    public var sendsMaximum = 64
    /// How long the first message for a device that is not online waits for others to join it.
    public var collapseDelay = Duration.milliseconds(500)
    /// The shortest time between two notifications of a device.
    public var quietTime = Duration.seconds(10)
    /// How long a device that is online may leave a message unconfirmed before it is notified.
    public var silenceDelay = Duration.seconds(30)
    /// How long after the start what is owed is looked for: until then devices attach again.
    public var recoveryDelay = Duration.seconds(5)
    /// The longest wait before the second attempt; it doubles with every further one.
    public var retryInitial = Duration.seconds(1)
    /// The longest wait between two attempts.
    public var retryMaximum = Duration.seconds(300)
    /// Attempts for one notification, from 1. By default they take about an hour.
    public var attemptsMaximum = 24
    /// What a notification tells.
    public var content = Content.none
    /// What a notification says to people, without a message's own text.
    public var alert = "New message"
    /// How long the services keep a notification for a device that they cannot reach.
    public var lifetime = Duration.seconds(86_400)
    /// Lists of heads that are read for one badge, each of 1 000 mailboxes.
    public var badgePagesMaximum = 10

    /// All defaults.
    public init(registryPath: String) { self.registryPath = registryPath }
}
