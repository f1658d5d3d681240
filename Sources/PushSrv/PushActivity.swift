public import Metrics
internal import StoreAPI
internal import Synchronization

/// What a PushSrv does, counted.
public final class PushActivity: Sendable {
    private let factory: any MetricsFactory
    private let pushes: Counter
    private let dropped: Counter
    private let delivered: Counter
    private let sessions: Meter
    private let attachments: Meter
    private let owed: Meter
    private let waiting: Meter
    private let retired: Counter
    private let forgotten: Counter
    private let notifications: Mutex<[[String]: Counter]> = Mutex([:])

    /// - Parameter factory: where the metrics go.
    public init(metrics factory: any MetricsFactory) {
        self.factory = factory
        pushes = Counter(label: "mailbox_push_taken_total", factory: factory)
        dropped = Counter(label: "mailbox_push_dropped_total", factory: factory)
        delivered = Counter(label: "mailbox_push_delivered_total", factory: factory)
        sessions = Meter(label: "mailbox_push_sessions", factory: factory)
        attachments = Meter(label: "mailbox_push_attachments", factory: factory)
        owed = Meter(label: "mailbox_push_devices_owed", factory: factory)
        waiting = Meter(label: "mailbox_push_waiting", factory: factory)
        retired = Counter(label: "mailbox_push_tokens_retired_total", factory: factory)
        forgotten = Counter(label: "mailbox_push_notifications_forgotten_total", factory: factory)
    }

    /// Each metric's name, its kind in Prometheus's words, and what it tells.
    public static let descriptions: [(name: String, kind: String, help: String)] = [
        ("mailbox_push_taken_total", "counter", "Stored messages that were handed over."),
        (
            "mailbox_push_dropped_total", "counter",
            "Stored messages that no notification was made of, because too much waited."
        ),
        ("mailbox_push_delivered_total", "counter", "Pushes to instances of ConnectSrv."),
        ("mailbox_push_sessions", "gauge", "Sessions that are online, as far as is known."),
        ("mailbox_push_attachments", "gauge", "Instances of ConnectSrv that are attached."),
        ("mailbox_push_devices_owed", "gauge", "Devices that are owed a notification."),
        ("mailbox_push_waiting", "gauge", "Stored messages that wait to be looked at."),
        (
            "mailbox_push_notifications_total", "counter",
            "Attempts to notify a device, by service and outcome."
        ),
        (
            "mailbox_push_notifications_forgotten_total", "counter",
            "Notifications that found no room, or were given up."
        ),
        (
            "mailbox_push_tokens_retired_total", "counter",
            "Registrations that were forgotten because their service does not know them any more."
        ),
        ("mailbox_push_refusals_total", "counter", "Calls refused, by code."),
    ]

    func taken(isDropped: Bool) {
        pushes.increment()
        if isDropped { dropped.increment() }
    }

    func delivered(_ count: Int) { delivered.increment(by: count) }

    func tokenRetired() { retired.increment() }

    func notificationForgotten() { forgotten.increment() }

    func set(sessions: Int, attachments: Int) {
        self.sessions.set(sessions)
        self.attachments.set(attachments)
    }

    func set(owed: Int, waiting: Int) {
        self.owed.set(owed)
        self.waiting.set(waiting)
    }

    func notified(_ service: PushRegistration.Service, _ outcome: String) {
        count(
            "mailbox_push_notifications_total",
            [("service", service.rawValue), ("outcome", outcome)])
    }

    func refused(_ code: String) { count("mailbox_push_refusals_total", [("code", code)]) }

    private func count(_ label: String, _ dimensions: [(String, String)]) {
        let counter = notifications.withLock { counters in
            let key = [label] + dimensions.map(\.1)
            if let counter = counters[key] { return counter }
            let counter = Counter(label: label, dimensions: dimensions, factory: factory)
            counters[key] = counter
            return counter
        }
        counter.increment()
    }
}
