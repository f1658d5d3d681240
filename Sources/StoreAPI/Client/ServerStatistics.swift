public import Mailbox

/// The server's store at one moment. Counts are since it was opened, over all shards.
public struct ServerStatistics: Hashable, Sendable {
    /// Times over the last ten seconds, in microseconds.
    public struct Latency: Hashable, Sendable {
        /// How many there were.
        public var count: UInt64 = 0
        /// Half of them took at most this long.
        public var p50Microseconds: UInt64 = 0
        /// 99 of 100 took at most this long.
        public var p99Microseconds: UInt64 = 0
        /// 999 of 1000 took at most this long.
        public var p999Microseconds: UInt64 = 0
        /// The longest.
        public var maximumMicroseconds: UInt64 = 0

        /// All zero.
        public init() {}
    }

    /// A mailbox that is written to much.
    public struct BusyMailbox: Hashable, Sendable {
        /// Which mailbox.
        public var mailbox: MailboxID
        /// Appends a second over the last ten seconds, about.
        public var appendsPerSecond: Double

        /// A mailbox that is written to much.
        public init(mailbox: MailboxID, appendsPerSecond: Double) {
            self.mailbox = mailbox
            self.appendsPerSecond = appendsPerSecond
        }
    }

    /// Messages that were stored since the store was opened.
    public var appendedMessages: UInt64 = 0
    /// Their body bytes.
    public var appendedBodyBytes: UInt64 = 0
    /// Appends that were answered as duplicates.
    public var duplicates: UInt64 = 0
    /// Groups that were written to the journals: one sync each.
    public var groups: UInt64 = 0
    /// Bytes that were written to the journals.
    public var journalBytesWritten: UInt64 = 0
    /// Bytes of groups that wait for a checkpoint.
    public var journalBytesUsed: UInt64 = 0
    /// Bytes that the journals' segments take on disk, spare ones included.
    public var journalBytesAllotted: UInt64 = 0
    /// Appends that wait for the journal, in bytes.
    public var queueBytes: UInt64 = 0
    /// Memory for messages that wait for a checkpoint, in bytes.
    public var tailBytes: UInt64 = 0
    /// Mailboxes in memory.
    public var mailboxesInMemory: UInt64 = 0
    /// Checkpoints that were completed.
    public var checkpoints: UInt64 = 0
    /// Checkpoints that failed, and were tried again.
    public var checkpointFailures: UInt64 = 0
    /// Messages that checkpoints wrote.
    public var checkpointedMessages: UInt64 = 0
    /// Messages that were acknowledged before their checkpoint.
    public var neverCheckpointedMessages: UInt64 = 0
    /// Records that the journals brought back when the store was opened.
    public var recoveredRecords: UInt64 = 0
    /// Messages that retention removed.
    public var removedMessages: UInt64 = 0
    /// Pages of the data files in use, in bytes.
    public var dataBytesUsed: UInt64 = 0
    /// Free pages within the data files, in bytes.
    public var dataBytesFree: UInt64 = 0
    /// Address space of the data files, in bytes.
    public var mapBytes: UInt64 = 0
    /// Read transactions under way.
    public var readers: UInt64 = 0
    /// Transactions that were committed since the oldest reader began.
    public var oldestReaderLag: UInt64 = 0
    /// Watches under way.
    public var watchers: UInt64 = 0
    /// The time since the daemon opened the store, in milliseconds.
    public var uptimeMilliseconds: UInt64 = 0
    /// Messages that were handed out by fetches, reads and syncs.
    public var fetchedMessages: UInt64 = 0
    /// What keeps a shard from taking appends, nil when all do.
    public var condition: String?
    /// The store's epoch.
    public var epoch: Epoch
    /// The time that an append spent in the store before its answer.
    public var appendLatency = Latency()
    /// The time that a fetch took.
    public var fetchLatency = Latency()
    /// The time that a journal's sync took.
    public var syncLatency = Latency()
    /// The mailboxes that were written to most of late, busiest first; at most 20.
    public var busiest: [BusyMailbox] = []

    /// All zero.
    public init(epoch: Epoch) {
        self.epoch = epoch
    }
}
