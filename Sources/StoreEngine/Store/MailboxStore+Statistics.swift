internal import LMDB
public import Mailbox
internal import Synchronization

/// A store at one moment. Counts are since it was opened, over all shards.
public struct StoreStatistics: Hashable, Sendable {
    /// Messages that were stored.
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
    public var journalBytesUsed: Int = 0
    /// Bytes that the journals' segments take on disk, spare ones included.
    public var journalBytesAllotted: Int = 0
    /// Appends that wait for the journal, in bytes.
    public var queueBytes: Int = 0
    /// Memory for messages that wait for a checkpoint, in bytes.
    public var tailBytes: Int = 0
    /// Mailboxes in memory.
    public var mailboxesInMemory: Int = 0
    /// Checkpoints that were completed.
    public var checkpoints: UInt64 = 0
    /// Checkpoints that failed, and were tried again.
    public var checkpointFailures: UInt64 = 0
    /// Messages that checkpoints wrote.
    public var checkpointedMessages: UInt64 = 0
    /// Messages that were acknowledged before their checkpoint, and never needed to be written.
    public var neverCheckpointedMessages: UInt64 = 0
    /// Records that the journals brought back when the store was opened.
    public var recoveredRecords: UInt64 = 0
    /// Messages that retention removed.
    public var removedMessages: Int = 0
    /// Pages of the data files in use, in bytes.
    public var dataBytesUsed: Int = 0
    /// Free pages within the data files, in bytes.
    public var dataBytesFree: Int = 0
    /// Address space of the data files, in bytes; it grows to the configured maximum.
    public var mapBytes: Int = 0
    /// Read transactions under way.
    public var readers: Int = 0
    /// Transactions that were committed since the oldest of them began: it pins their pages.
    public var oldestReaderLag: Int = 0
    /// Watches under way.
    public var watchers: Int = 0
    /// What keeps a shard from taking appends, nil when all do.
    public var condition: String?

    /// All zero.
    public init() {}
}

extension MailboxStore {
    /// The store's counts, sizes and condition now.
    ///
    /// - Throws: `closed`, `failed` when a data file cannot be read.
    public func statistics() throws(StoreError) -> StoreStatistics {
        try whileOpen { () throws(StoreError) in
            var statistics = StoreStatistics()
            for shard in shards { try shard.add(to: &statistics) }
            statistics.watchers = watcherCount.load(ordering: .relaxed)
            return statistics
        }
    }
}

extension MailboxStore {
    /// Why the store takes no more writes until it is opened again; nil while it does. Cheap.
    public var failure: StoreError? {
        for shard in shards {
            if let failure = shard.failure { return failure }
        }
        return nil
    }
}

extension Shard {
    fileprivate func add(to statistics: inout StoreStatistics) throws(StoreError) {
        let counters = counters.withLock { $0 }
        statistics.appendedMessages += counters.appendedMessages
        statistics.appendedBodyBytes += counters.appendedBodyBytes
        statistics.duplicates += counters.duplicates
        statistics.groups += counters.groups
        statistics.journalBytesWritten += counters.journalBytes
        statistics.checkpoints += counters.checkpoints
        statistics.checkpointFailures += counters.checkpointFailures
        statistics.checkpointedMessages += counters.checkpointedMessages
        statistics.neverCheckpointedMessages += counters.neverCheckpointedMessages
        statistics.recoveredRecords += counters.recoveredRecords
        statistics.removedMessages += counters.removal.messagesRemoved
        let usage = journal.usage
        statistics.journalBytesUsed += usage.usedBytes
        statistics.journalBytesAllotted += usage.allottedBytes
        statistics.queueBytes += queue.bytes
        let (tailBytes, count) = table.withLock { ($0.tailBytes, $0.count) }
        statistics.tailBytes += tailBytes
        statistics.mailboxesInMemory += count
        let data = try onBase { () throws(LMDBError) in try base.environment.statistics }
        let freeBytes = (data.freePages ?? 0) * data.pageBytes
        statistics.dataBytesUsed += data.usedBytes - freeBytes
        statistics.dataBytesFree += freeBytes
        statistics.mapBytes += data.mapBytes
        statistics.readers += data.readersInUse
        statistics.oldestReaderLag = max(statistics.oldestReaderLag, data.oldestReaderLag)
        let condition = condition.withLock { $0.failure ?? $0.full }
        if let condition, statistics.condition == nil {
            statistics.condition = "shard \(ordinal): \(condition)"
        }
    }
}
