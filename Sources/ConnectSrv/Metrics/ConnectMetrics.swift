internal import ClientWire
internal import Metrics
internal import Synchronization

/// What the server counts. No label has an account, a device or an address in it.
final class ConnectMetrics: Sendable {
    static let prefix = "mailbox_connect_"

    private let connections: Meter
    private let sessions: Meter
    private let frames: Counter
    private let pushes: Counter
    private let ackTimer: Metrics.Timer
    private let factory: any MetricsFactory
    private let labelled = Mutex<[String: Counter]>([:])

    init(_ factory: any MetricsFactory) {
        self.factory = factory
        connections = Meter(label: Self.prefix + "connections", factory: factory)
        sessions = Meter(label: Self.prefix + "sessions", factory: factory)
        frames = Counter(
            label: Self.prefix + "frames_received_total", factory: factory)
        pushes = Counter(label: Self.prefix + "pushes_total", factory: factory)
        ackTimer = Metrics.Timer(
            label: Self.prefix + "ack_seconds", dimensions: [], preferredDisplayUnit: .seconds,
            factory: factory)
    }

    /// A connection was accepted.
    func connectionBegan() { connections.increment() }

    /// A connection is gone.
    func connectionEnded() { connections.decrement() }

    /// A device was welcomed.
    func sessionBegan() { sessions.increment() }

    /// A device's session is over.
    func sessionEnded() { sessions.decrement() }

    /// A device said something.
    func frameReceived() { frames.increment() }

    /// A push was handed to so many sessions.
    func pushed(_ count: Int) { pushes.increment(by: count) }

    /// A message was accepted.
    func sent(took: Duration) {
        let (seconds, attoseconds) = took.components
        ackTimer.recordNanoseconds(max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000))
    }

    /// A request was refused.
    func refused(_ code: RefusalCode) { count("refusals_total", "code", code.shortName) }

    /// A connection was ended by this server.
    func ended(_ reason: GoodbyeReason) { count("goodbyes_total", "reason", reason.shortName) }

    private func count(_ name: String, _ label: String, _ value: String) {
        let counter = labelled.withLock { labelled in
            let key = name + value
            if let counter = labelled[key] { return counter }
            let counter = Counter(
                label: Self.prefix + name, dimensions: [(label, value)], factory: factory)
            labelled[key] = counter
            return counter
        }
        counter.increment()
    }
}
