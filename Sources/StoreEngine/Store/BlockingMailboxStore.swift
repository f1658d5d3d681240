public import Mailbox

extension MailboxStore {
    /// The verbs that wait, for plain threads: never call these from a task, whose thread they
    /// would block.
    ///
    /// The verbs that do not wait (`fetch`, `read`, `head` …) are on the store itself.
    public var blocking: BlockingMailboxStore { BlockingMailboxStore(store: self) }
}

/// The verbs of a store that wait for the disk, as calls that block their thread.
///
/// A blocking appender that finds the shard idle commits on its own thread: one write, one sync,
/// and no hand-over.
public struct BlockingMailboxStore: Sendable {
    let store: MailboxStore

    /// Stores one message, and returns when it is durable. Errors as `MailboxStorage.append(_:)`.
    public func append(_ append: Append) throws(StoreError) -> AppendResult {
        try store.whileOpen { () throws(StoreError) in
            try store.check(append)
            return try store.shard(of: append.mailbox.receiver).appendBlocking {
                AppendRequest(append, completion: $0)
            }.answer()
        }
    }

    /// Stores many messages in one group a shard. Errors as `MailboxStorage.append(batch:)`.
    public func append(
        batch: [Append]
    ) throws(StoreError) -> [Result<AppendResult, StoreError>] {
        try store.whileOpen { () throws(StoreError) in
            try BatchPlan(batch, store).runBlocking { part throws(StoreError) in
                try store.shards[part.shard].appendBlocking {
                    AppendRequest(part.appends, isAtomic: false, completion: $0)
                }.results
            }
        }
    }

    /// Stores all messages or none. Errors as `MailboxStorage.append(atomically:)`.
    public func append(atomically batch: [Append]) throws(StoreError) -> [AppendResult] {
        try store.whileOpen { () throws(StoreError) in
            guard let shard = try store.checkAtomic(batch) else { return [] }
            let request = try store.shards[shard].appendBlocking {
                AppendRequest(batch[...], isAtomic: true, completion: $0)
            }
            return try request.results.map { result throws(StoreError) in try result.get() }
        }
    }

    /// Removes what the policy allows; nil takes the store's own. Errors as
    /// `MailboxStorage.compact(_:)`.
    @discardableResult
    public func compact(
        _ policy: RetentionPolicy? = nil
    ) throws(StoreError) -> CompactionReport {
        try store.whileOpen { () throws(StoreError) in
            let policy = policy ?? store.retention
            try policy.check()
            var total = CompactionReport()
            for shard in store.shards {
                let report = ReportBox()
                try shard.onCheckpointThread { () throws(StoreError) in
                    try report.set(shard.compact(policy))
                }
                total.add(report.value)
            }
            return total
        }
    }

    /// Writes everything durable into the data files, and truncates the journals.
    ///
    /// - Throws: `storageFull`, `failed`, `corrupted`, `closed`.
    public func checkpoint() throws(StoreError) {
        try store.whileOpen { () throws(StoreError) in
            for shard in store.shards {
                try shard.onCheckpointThread { () throws(StoreError) in try shard.checkpoint() }
            }
        }
    }
}
