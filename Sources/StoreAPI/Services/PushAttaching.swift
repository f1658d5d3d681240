public import Mailbox

/// What PushSrv does for an instance of ConnectSrv: it hears who is online, and brings what is to
/// be pushed to them; and it keeps where to notify devices that are not.
public protocol PushAttaching: Sendable {
    /// Attaches an instance. Never fails and never waits: an implementation behind a network
    /// connects in the background, to every PushSrv there is, again and again, and tells each who
    /// is online when it is there.
    ///
    /// - Parameters:
    ///   - instance: the instance's name, unique among all that run; an attachment with a name that
    ///     is attached already takes its place.
    ///   - deliver: called with each push for an account that has a session online here, on any
    ///     thread, several at a time: it must be quick, and must not wait.
    /// - Returns: what the instance tells its changes to; when it is let go or detached, its
    ///   sessions are offline.
    func attach(
        _ instance: String, deliver: @escaping @Sendable (Push) -> Void
    ) -> any PushAttachment

    /// Keeps where to notify a device of an account when it is not connected; a registration of the
    /// same device takes the place of the one before.
    ///
    /// - Throws: `invalidArgument` when the token or the topic is none, or its service is not
    ///   configured; `unavailable`, `failed`, `storageFull` when it could not be kept: the device
    ///   registers again with its next connection. Returns when it is on stable storage of every
    ///   PushSrv.
    func register(_ registration: PushRegistration) async throws(StoreError)

    /// Forgets a device's registration; harmless when there is none.
    ///
    /// - Throws: `unavailable`, `failed`.
    func unregister(_ account: Address, device: DeviceID) async throws(StoreError)
}

/// An instance's end of its attachment.
public protocol PushAttachment: Sendable {
    /// A session came online or went offline. Returns at once; changes are heard in their order.
    func report(_ change: PresenceChange)

    /// Ends the attachment: its sessions are offline, and nothing more is delivered. Harmless when
    /// repeated.
    func detach()
}

/// A session of an account that came online, or went offline.
public struct PresenceChange: Hashable, Sendable {
    /// Whose session.
    public var account: Address
    /// On which device.
    public var device: DeviceID
    /// The session's number, unique within the instance as long as the session lasts.
    public var session: UInt64
    /// True when it came, false when it went.
    public var isOnline: Bool

    /// A session that came or went.
    public init(account: Address, device: DeviceID, session: UInt64, isOnline: Bool) {
        self.account = account
        self.device = device
        self.session = session
        self.isOnline = isOnline
    }
}

/// Where to notify a device that is not connected.
public struct PushRegistration: Hashable, Sendable {
    /// Who brings the notification.
    public enum Service: String, Hashable, Sendable, CaseIterable {
        /// Apple Push Notification service.
        case apns
        /// Firebase Cloud Messaging, HTTP v1.
        case fcm
        /// An HTTP endpoint that the operator set.
        case webhook
    }

    /// The most bytes of a token.
    public static let tokenBytesMaximum = 4_096
    /// The most bytes of a topic.
    public static let topicBytesMaximum = 255

    /// Whose device.
    public var account: Address
    /// Which device.
    public var device: DeviceID
    /// Who brings the notification.
    public var service: Service
    /// The device's token there: APNs's in hexadecimal digits, FCM's as it came, a webhook's any
    /// text; 1 to 4 096 bytes. A secret: it is in no log and no error.
    public var token: String
    /// The app: APNs's topic, at most 255 bytes; empty takes the server's default.
    public var topic: String
    /// With APNs: the token is one of the sandbox.
    public var isSandbox: Bool

    /// Where to notify a device.
    public init(
        account: Address, device: DeviceID, service: Service, token: String, topic: String = "",
        isSandbox: Bool = false
    ) {
        self.account = account
        self.device = device
        self.service = service
        self.token = token
        self.topic = topic
        self.isSandbox = isSandbox
    }

    /// Checks what can be checked without asking the service.
    ///
    /// - Throws: `invalidArgument`, naming the part and never the token.
    public func check() throws(StoreError) {
        guard (1...Self.tokenBytesMaximum).contains(token.utf8.count) else {
            throw .invalidArgument(
                "the push token has \(token.utf8.count) bytes; it must have 1 to "
                    + "\(Self.tokenBytesMaximum)")
        }
        guard topic.utf8.count <= Self.topicBytesMaximum else {
            throw .invalidArgument(
                "the topic has \(topic.utf8.count) bytes; it may have at most "
                    + "\(Self.topicBytesMaximum)")
        }
        // Both become parts of a header or a path.
        guard token.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) || service == .webhook else {
            throw .invalidArgument("the push token has characters that no token has")
        }
        guard topic.utf8.allSatisfy({ (0x21...0x7E).contains($0) }) else {
            throw .invalidArgument("the topic has characters that no topic has")
        }
        guard service != .apns || token.utf8.allSatisfy(Self.isHexadecimal) else {
            throw .invalidArgument("a push token of APNs is made of hexadecimal digits")
        }
    }

    private static func isHexadecimal(_ byte: UInt8) -> Bool {
        switch byte {
        case UInt8(ascii: "0")...UInt8(ascii: "9"), UInt8(ascii: "a")...UInt8(ascii: "f"),
            UInt8(ascii: "A")...UInt8(ascii: "F"):
            true
        default: false
        }
    }
}
