internal import Mailbox
internal import Synchronization

/// One journal, one mailbox table, one data file, one commit turn and one checkpoint thread.
///
/// ```
///  append ─▶ queue ─▶ commit turn: allocate, encode ─▶ journal (write, sync)
///                            │ durable
///                            ▼
///                     mailbox table: heads and tails ─▶ callers resume, watchers wake
///                            │ at half the tail budget, or after some time
///                            ▼
///                     checkpoint thread ─▶ data file ─▶ journal truncated behind it
/// ```
/// Locks, in the order in which they may be nested: `turn`, `table`. `control`, `condition` and the
/// queue's are never held while another is taken.
final class Shard: Sendable {
    let ordinal: Int
    /// The store's, which every answer to an append names.
    let epoch: Epoch
    let directory: String
    let configuration: StoreConfiguration
    /// The store's own policy.
    let retention: RetentionPolicy
    let journal: any Journal
    let base: BaseStore
    let queue: SubmissionQueue
    let time: RetentionTime
    /// The mailboxes in memory. Held for microseconds; never across a system call.
    let table = Mutex(MailboxTable())
    /// Who holds it commits groups: the commit thread, or a blocking caller that found it free.
    let turn = Mutex(CommitTurn())
    /// What the checkpoint thread is asked to do, and what it did.
    let control = Monitor(CheckpointControl())
    let condition = Mutex(Condition())
    let counters = Mutex(ShardCounters())
    /// During a compaction, the hashes of the mailboxes that its checkpoints shortened: none counts
    /// twice.
    let shortened = Mutex<Set<UInt64>?>(nil)
    let watchers = WatchRegistry()
    private let threads = Mutex<[OSThread]>([])
    /// A group's payload stays within this, but for a single request that is larger.
    let groupBytesMaximum: Int

    /// Whether the shard still takes appends.
    struct Condition {
        /// A write or sync failed, or the store was abandoned: no more writes until it is opened
        /// again.
        var failure: StoreError?
        /// The last checkpoint found no room: no appends until one does.
        var full: StoreError?
    }

    /// What the holder of the commit turn keeps between groups.
    struct CommitTurn {
        /// Places of a group's mailboxes in the table; kept for its capacity.
        var places: [Int] = []
        /// The hashes of these mailboxes.
        var hashes: [UInt64] = []
        var allocations: [GroupBuilder.Allocation] = []
        var acknowledgements: [Int32] = []
    }

    init(
        ordinal: Int, epoch: Epoch, directory: String, configuration: StoreConfiguration,
        journal: any Journal, base: BaseStore
    ) {
        self.ordinal = ordinal
        self.epoch = epoch
        self.directory = directory
        self.configuration = configuration
        retention = configuration.retention ?? .unacknowledged
        self.journal = journal
        self.base = base
        time = RetentionTime(configuration.clock)
        queue = SubmissionQueue(bytesMaximum: configuration.queueBytesMaximum)
        groupBytesMaximum = min(4 << 20, journal.payloadBytesMaximum)
    }

    // MARK: Condition

    /// Throws what keeps the shard from taking appends.
    func checkAccepting() throws(StoreError) {
        let error = condition.withLock { $0.failure ?? $0.full }
        if let error { throw error }
    }

    var failure: StoreError? { condition.withLock { $0.failure } }

    /// Stops the shard for good. The first failure stays; one that comes while the shard is
    /// abandoned says more than that it is.
    func fail(_ error: StoreError) {
        condition.withLock { condition in
            guard condition.failure.map({ $0.code == .closed }) ?? true else { return }
            condition.failure = error
        }
        control.change { _ in }
    }

    // MARK: Appending

    /// Commits the request on this thread when the turn is free, else waits for who has it.
    func appendBlocking(
        _ make: (AppendRequest.Completion) -> AppendRequest
    ) throws(StoreError) -> AppendRequest {
        let done = Monitor(false)
        let request = make(.monitor(done))
        try queue.add(request, waking: false)
        // One group takes all that waits, this request with it.
        turn.withLockIfAvailable { turn in
            var groups = 0
            while !done.withLock({ $0 }), groups < 64, commitGroup(&turn) { groups += 1 }
        }
        // What came while the turn was held, and found it taken, is the commit thread's.
        if !queue.isEmpty { queue.wake() }
        done.wait { $0 ? true : nil }
        if let failure = request.failure { throw failure }
        return request
    }

    /// Hands the request to the commit thread, and resumes when it is durable.
    func append(
        _ make: (AppendRequest.Completion) -> AppendRequest
    ) async throws(StoreError) -> AppendRequest {
        // Written before the task suspends, and read after it resumes.
        nonisolated(unsafe) var made: AppendRequest?
        nonisolated(unsafe) var refusal: StoreError?
        // Unsafe means that nobody counts the resumptions: `complete` is called once a request, by
        // construction.
        unsafe await withUnsafeContinuation { continuation in
            let request = make(unsafe .continuation(continuation))
            unsafe made = request
            do throws(StoreError) {
                try queue.add(request, waking: true)
            } catch {
                unsafe refusal = error
                unsafe continuation.resume()
            }
        }
        if let refusal = unsafe refusal { throw refusal }
        guard let request = unsafe made else { throw .closed() }
        if let failure = request.failure { throw failure }
        return request
    }

    func adopt(_ thread: OSThread) { threads.withLock { $0.append(thread) } }

    /// Waits for the shard's threads to end. Once.
    func joinThreads() {
        let threads = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in threads { thread.join() }
    }

    /// The commit thread: commits while there is something, until the queue is closed.
    func commitLoop() {
        while queue.waitForWork() {
            turn.withLock { turn in _ = commitGroup(&turn) }
        }
    }
}

/// What a shard counted since it was opened.
struct ShardCounters: Sendable {
    var appendedMessages: UInt64 = 0
    var appendedBodyBytes: UInt64 = 0
    var duplicates: UInt64 = 0
    var groups: UInt64 = 0
    var journalBytes: UInt64 = 0
    var checkpoints: UInt64 = 0
    var checkpointFailures: UInt64 = 0
    var checkpointedMessages: UInt64 = 0
    var neverCheckpointedMessages: UInt64 = 0
    var recoveredRecords: UInt64 = 0
    /// What checkpoints and compactions removed.
    var removal = CompactionReport()
}
