/// Hears what a store does, as it does it: for histograms.
///
/// Called on the threads that commit and checkpoint: a call that is slow makes the store slow, and
/// one that calls the store may never end. A store without an observer pays nothing.
public protocol StoreObserver: Sendable {
    /// A group of appends was written to a journal.
    func groupCommitted(_ group: CommittedGroup)
    /// A checkpoint wrote some of its mailboxes, in one transaction.
    func checkpointAdvanced(_ progress: CheckpointProgress)
    /// A checkpoint ended.
    func checkpointFinished(_ outcome: CheckpointOutcome)
}

extension StoreObserver {
    /// Does nothing.
    public func groupCommitted(_ group: CommittedGroup) {}
    /// Does nothing.
    public func checkpointAdvanced(_ progress: CheckpointProgress) {}
    /// Does nothing.
    public func checkpointFinished(_ outcome: CheckpointOutcome) {}
}

/// One group of appends in a journal.
public struct CommittedGroup: Hashable, Sendable {
    /// The shard, from 0.
    public var shard: Int
    /// Messages that were stored.
    public var messages: Int
    /// Bytes that were written to the journal.
    public var bytes: Int
    /// The time that writing and syncing took, in nanoseconds.
    public var journalNanoseconds: UInt64
}

/// How far a checkpoint is.
public struct CheckpointProgress: Hashable, Sendable {
    /// The shard, from 0.
    public var shard: Int
    /// Mailboxes that this checkpoint wrote.
    public var mailboxesWritten: Int
    /// Mailboxes that it is to write in all.
    public var mailboxes: Int
}

/// How a checkpoint ended.
public struct CheckpointOutcome: Hashable, Sendable {
    /// The shard, from 0.
    public var shard: Int
    /// False when it is to be tried again.
    public var succeeded: Bool
    /// The time that it took, in nanoseconds.
    public var nanoseconds: UInt64
}

/// Measures the time of one thing, when somebody wants to hear it.
struct Stopwatch {
    private let start: ContinuousClock.Instant?

    init(for observer: (any StoreObserver)?) {
        start = observer == nil ? nil : .now
    }

    /// Since the stopwatch was made; 0 when nobody wants to hear it.
    var nanoseconds: UInt64 {
        guard let start else { return 0 }
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}
