internal import Mailbox
public import Metrics
public import StoreEngine
internal import Synchronization

/// What a served store does, counted: for metrics, and for the statistics that clients ask for.
///
/// Made before the store, which it observes:
///
/// ```swift
/// let activity = StoreActivity(metrics: MetricsSystem.factory)
/// var configuration = StoreConfiguration()
/// configuration.observer = activity
/// ```
public final class StoreActivity: StoreObserver {
    let appendLatency = LatencyWindow()
    let fetchLatency = LatencyWindow()
    let syncLatency = LatencyWindow()
    let busy = BusySketch()
    private let fetched = Atomic<UInt64>(0)
    private let started = ContinuousClock.now

    private let factory: any MetricsFactory
    private let appendTimer: Metrics.Timer
    private let fetchTimer: Metrics.Timer
    private let fetchedMessages: Counter
    private let fetchedBytes: Counter
    private let groupMessages: Recorder
    private let groupBytes: Recorder
    private let syncTimer: Metrics.Timer
    private let checkpointTimer: Metrics.Timer
    private let checkpointProgress: Mutex<[Int: Meter]> = Mutex([:])
    private let refusals: Mutex<[StoreError.Code: Counter]> = Mutex([:])

    /// - Parameter metrics: where the metrics go.
    public init(metrics factory: any MetricsFactory) {
        self.factory = factory
        appendTimer = Metrics.Timer(MetricNames.appendSeconds, factory)
        fetchTimer = Metrics.Timer(MetricNames.fetchSeconds, factory)
        fetchedMessages = Counter(label: MetricNames.fetchedMessages, factory: factory)
        fetchedBytes = Counter(label: MetricNames.fetchedBytes, factory: factory)
        groupMessages = Recorder(label: MetricNames.groupMessages, factory: factory)
        groupBytes = Recorder(label: MetricNames.groupBytes, factory: factory)
        syncTimer = Metrics.Timer(MetricNames.syncSeconds, factory)
        checkpointTimer = Metrics.Timer(MetricNames.checkpointSeconds, factory)
    }

    /// Messages that were handed out.
    var fetchedMessageCount: UInt64 { fetched.load(ordering: .relaxed) }

    /// Since the activity began.
    var uptime: Duration { ContinuousClock.now - started }

    /// The current second, on a clock that goes forward.
    var second: Int64 { uptime.components.seconds }

    // MARK: Calls

    /// Appends were answered.
    func appended(_ outcomes: [Result<Mailbox.AppendResult, StoreError>], took: Duration) {
        appended(count: outcomes.count, took: took)
        for case .failure(let error) in outcomes { refused(error.code) }
    }

    /// Appends were answered; their refusals are counted elsewhere.
    func appended(count: Int, took: Duration) {
        appendTimer.recordNanoseconds(took.wholeNanoseconds)
        appendLatency.record(
            microseconds: took.wholeMicroseconds, count: count, second: second)
    }

    /// A fetch, read or sync was answered.
    func fetched(_ messages: Int, bytes: Int, took: Duration) {
        fetchTimer.recordNanoseconds(took.wholeNanoseconds)
        fetchLatency.record(microseconds: took.wholeMicroseconds, second: second)
        fetched.wrappingAdd(UInt64(messages), ordering: .relaxed)
        fetchedMessages.increment(by: messages)
        fetchedBytes.increment(by: bytes)
    }

    /// Something was refused.
    func refused(_ code: StoreError.Code) {
        let counter = refusals.withLock { refusals in
            if let counter = refusals[code] { return counter }
            let counter = Counter(
                label: MetricNames.refusals, dimensions: [("code", code.description)],
                factory: factory)
            refusals[code] = counter
            return counter
        }
        counter.increment()
    }

    // MARK: StoreObserver

    /// A group of appends was written to a journal.
    public func groupCommitted(_ group: CommittedGroup) {
        groupMessages.record(group.messages)
        groupBytes.record(group.bytes)
        syncTimer.recordNanoseconds(Int64(clamping: group.journalNanoseconds))
        syncLatency.record(microseconds: group.journalNanoseconds / 1_000, second: second)
    }

    /// A checkpoint wrote some of its mailboxes.
    public func checkpointAdvanced(_ progress: CheckpointProgress) {
        let ratio = Double(progress.mailboxesWritten) / Double(max(1, progress.mailboxes))
        setCheckpointProgress(progress.shard, ratio)
    }

    /// A checkpoint ended.
    public func checkpointFinished(_ outcome: CheckpointOutcome) {
        checkpointTimer.recordNanoseconds(Int64(clamping: outcome.nanoseconds))
        if outcome.succeeded { setCheckpointProgress(outcome.shard, 1) }
    }

    private func setCheckpointProgress(_ shard: Int, _ ratio: Double) {
        let meter = checkpointProgress.withLock { meters in
            if let meter = meters[shard] { return meter }
            let meter = Meter(
                label: MetricNames.checkpointProgress, dimensions: [("shard", "\(shard)")],
                factory: factory)
            meters[shard] = meter
            return meter
        }
        meter.set(ratio)
    }
}

extension Metrics.Timer {
    fileprivate convenience init(_ label: String, _ factory: any MetricsFactory) {
        self.init(label: label, dimensions: [], preferredDisplayUnit: .seconds, factory: factory)
    }
}

extension Duration {
    /// Rounded down, and at least 0.
    var wholeNanoseconds: Int64 {
        let (seconds, attoseconds) = components
        return max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// Rounded down, and at least 0.
    var wholeMicroseconds: UInt64 { UInt64(wholeNanoseconds / 1_000) }
}
