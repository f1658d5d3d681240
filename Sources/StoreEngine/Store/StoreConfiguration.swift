public import Mailbox

/// How a store keeps its messages. Every value has a default that suits a small server.
///
/// What is checked: `MailboxStore.open` throws `invalidArgument`, naming the value and its range.
public struct StoreConfiguration: Sendable {
    /// What to do when the directory has a store, or has none.
    public enum OpenMode: Hashable, Sendable {
        /// Open the store, or create one when the directory is missing or empty.
        case openOrCreate
        /// Create a store; refuse when one is there.
        case create
        /// Open a store; refuse when none is there.
        case open
    }

    /// What to do when the directory has a store, or has none.
    public var mode: OpenMode = .openOrCreate

    /// The number of shards of a store that is created, 1 … 64; an existing store keeps its own. A
    /// receiver's mailboxes live in one shard.
    public var shardCount: Int = 1

    /// When an append is answered. Anything but `.commit` can lose answered messages in a power
    /// cut.
    public var durability: Durability = .commit
    /// With `.interval`: the longest time between syncs, 1 … 60 000 ms.
    public var syncIntervalMilliseconds: Int = 100

    /// What compaction and checkpoints may remove when no other policy is named. nil takes what the
    /// store remembers: the last policy that it was created or opened with, else `.unacknowledged`.
    public var retention: RetentionPolicy?

    /// The largest body, 1 byte … 16 MiB.
    public var messageBytesMaximum: Int = 256 << 10
    /// The most messages that one call may append, 1 … 1 048 576.
    public var batchMessagesMaximum: Int = 65_536
    /// Appends that wait for the journal, in bytes per shard; above it an append gets `overloaded`.
    /// From 1 MiB.
    public var queueBytesMaximum: Int = 64 << 20
    /// The most messages in one answer, whatever the caller's limit, 1 … 1 000 000.
    public var pageMessagesMaximum: Int = 10_000
    /// The most body bytes in one answer, whatever the caller's limit, from 1 (a single larger
    /// message still comes).
    public var pageBytesMaximum: Int = 16 << 20

    /// Memory for messages that are durable in the journal and not yet in the data file, in bytes
    /// per shard, from
    /// 1 MiB. A checkpoint begins at half of it; at all of it appends wait.
    public var tailBytesMaximum: Int = 512 << 20
    /// Mailboxes whose heads stay in memory without a tail, per shard, from 16.
    public var headCacheMaximum: Int = 262_144
    /// The longest time between checkpoints while anything changed, 10 … 3 600 000 ms.
    public var checkpointIntervalMilliseconds: Int = 10_000
    /// Journal bytes between checkpoints, per shard, from one segment.
    public var checkpointJournalBytes: Int = 512 << 20
    /// The size of one journal segment, 64 KiB … 1 GiB, a multiple of 4 096. A group must fit into
    /// one.
    public var journalSegmentBytes: Int = 32 << 20

    /// The address space for a shard's data file at first, from 1 MiB; it grows as needed. Address
    /// space costs nothing, and growing waits until running reads are done.
    public var mapBytesInitial: Int = 64 << 30
    /// How large a shard's data file may grow. At nine tenths of it appends get `storageFull`.
    public var mapBytesMaximum: Int = 1 << 40
    /// Read transactions at once, per shard, 1 … 65 535.
    public var readersMaximum: Int = 1_024
    /// Watchers at once, from 1.
    public var watchersMaximum: Int = 100_000
    /// Heads that wait for one slow watcher, before it is made to list them anew, from 1.
    public var watchBacklogMaximum: Int = 1_024

    /// Where timestamps come from.
    public var clock: any MillisecondClock = SystemMillisecondClock()

    /// Who hears of groups and checkpoints as they happen.
    public var observer: (any StoreObserver)?

    /// Injected faults, for tests.
    package var faults: FaultHooks?

    /// The least that `tailBytesMaximum` may be. A crash test's stores are small, and must press on
    /// it, too.
    package var tailBytesMinimum: Int = 1 << 20

    /// All defaults.
    public init() {}
}
