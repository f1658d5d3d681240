internal import Mailbox
internal import StoreAPI

/// One notification for one device.
struct Notification: Sendable {
    /// Where it goes.
    var registration: PushRegistration
    /// Unread messages of the account, over all senders.
    var badge: Int
    /// The newest message, where notifications may tell of it.
    var news: OwedTable.News?
    /// What it says to people.
    var alert: String
    /// Notifications with the same one take each other's place on the device: at most 64 bytes.
    var collapseID: String
    /// When it is of no more use, in seconds since 1970.
    var expirationSeconds: Int64
}

/// What became of a notification.
enum Delivery: Sendable {
    /// The service took it.
    case accepted
    /// The service does not know the token any more: it is to be forgotten.
    case unregistered
    /// The service wants fewer of them: nothing is sent to it for so long.
    case slowDown(Duration)
    /// The service failed or was not reached: try again.
    case failed(String)
    /// The service refused it for good; the reason, without tokens.
    case refused(String)
}

/// Somebody who brings notifications to devices.
protocol NotificationProvider: Sendable {
    /// Sends a notification. Never throws: what went wrong is the delivery's.
    func send(_ notification: Notification) async -> Delivery
}
