internal import Mailbox
public import Metrics
internal import Synchronization

/// What a RecvSrv does, counted.
public final class RecvActivity: Sendable {
    private let factory: any MetricsFactory
    private let calls: Metrics.Timer
    private let messages: Counter
    private let refusals: Mutex<[StoreError.Code: Counter]> = Mutex([:])

    /// - Parameter factory: where the metrics go.
    public init(metrics factory: any MetricsFactory) {
        self.factory = factory
        calls = Metrics.Timer(
            label: "mailbox_recv_fetch_seconds", dimensions: [], preferredDisplayUnit: .seconds,
            factory: factory)
        messages = Counter(label: "mailbox_recv_messages_total", factory: factory)
    }

    /// Each metric's name, its kind in Prometheus's words, and what it tells.
    public static let descriptions: [(name: String, kind: String, help: String)] = [
        ("mailbox_recv_fetch_seconds", "histogram", "Time that a fetch, read or sync took."),
        ("mailbox_recv_messages_total", "counter", "Messages that were handed out."),
        ("mailbox_recv_refusals_total", "counter", "Calls and fetches refused, by code."),
    ]

    /// A fetch, read or sync was answered.
    func answered(_ count: Int, took: Duration) {
        let (seconds, attoseconds) = took.components
        calls.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        messages.increment(by: count)
    }

    /// Something was refused.
    func refused(_ code: StoreError.Code) {
        let counter = refusals.withLock { refusals in
            if let counter = refusals[code] { return counter }
            let counter = Counter(
                label: "mailbox_recv_refusals_total", dimensions: [("code", code.description)],
                factory: factory)
            refusals[code] = counter
            return counter
        }
        counter.increment()
    }
}
