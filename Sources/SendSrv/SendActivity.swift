internal import Mailbox
public import Metrics
internal import StoreAPI
internal import Synchronization

/// What a SendSrv does, counted.
public final class SendActivity: Sendable {
    private let factory: any MetricsFactory
    private let batches: Metrics.Timer
    private let stored: Counter
    private let duplicates: Counter
    private let refusals: Mutex<[StoreError.Code: Counter]> = Mutex([:])

    /// - Parameter factory: where the metrics go.
    public init(metrics factory: any MetricsFactory) {
        self.factory = factory
        batches = Metrics.Timer(
            label: "mailbox_send_store_seconds", dimensions: [], preferredDisplayUnit: .seconds,
            factory: factory)
        stored = Counter(label: "mailbox_send_messages_total", factory: factory)
        duplicates = Counter(label: "mailbox_send_duplicates_total", factory: factory)
    }

    /// Each metric's name, its kind in Prometheus's words, and what it tells.
    public static let descriptions: [(name: String, kind: String, help: String)] = [
        (
            "mailbox_send_store_seconds", "histogram",
            "Time that the store took for a batch of messages."
        ),
        ("mailbox_send_messages_total", "counter", "Messages that were made durable."),
        ("mailbox_send_duplicates_total", "counter", "Messages that were stored before."),
        ("mailbox_send_refusals_total", "counter", "Messages and calls refused, by code."),
    ]

    /// A batch was answered.
    func sent(_ outcomes: [Result<AppendResult, StoreError>], took: Duration) {
        let (seconds, attoseconds) = took.components
        batches.recordNanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
        var new = 0
        var old = 0
        for outcome in outcomes {
            switch outcome {
            case .success(let result):
                if result.isDuplicate { old += 1 } else { new += 1 }
            case .failure(let error): refused(error.code)
            }
        }
        stored.increment(by: new)
        duplicates.increment(by: old)
    }

    /// Something was refused.
    func refused(_ code: StoreError.Code) {
        let counter = refusals.withLock { refusals in
            if let counter = refusals[code] { return counter }
            let counter = Counter(
                label: "mailbox_send_refusals_total", dimensions: [("code", code.description)],
                factory: factory)
            refusals[code] = counter
            return counter
        }
        counter.increment()
    }
}
