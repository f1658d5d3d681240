public import Mailbox
internal import Synchronization

extension MailboxStore {
    /// Removes what the policy allows, in small steps beside live traffic; nil takes the store's
    /// own policy.
    @discardableResult
    public func compact(
        _ policy: RetentionPolicy?
    ) async throws(StoreError) -> CompactionReport {
        try whileOpen { () throws(StoreError) in }
        let policy = policy ?? retention
        try policy.check()
        var total = CompactionReport()
        for shard in shards {
            let report = ReportBox()
            try await shard.onCheckpointThread { () throws(StoreError) in
                try report.set(shard.compact(policy))
            }
            total.add(report.value)
        }
        return total
    }

    /// Writes everything durable into the data files, and truncates the journals behind it.
    ///
    /// Happens by itself as configured; a backup or a quiet moment may want it now.
    ///
    /// - Throws: `storageFull`, `failed`, `corrupted`, `closed`.
    public func checkpoint() async throws(StoreError) {
        try whileOpen { () throws(StoreError) in }
        for shard in shards {
            try await shard.onCheckpointThread { () throws(StoreError) in try shard.checkpoint() }
        }
    }
}

/// Carries a report from the checkpoint thread to its caller.
final class ReportBox: Sendable {
    private let box = Mutex(CompactionReport())
    var value: CompactionReport { box.withLock { $0 } }
    func set(_ report: CompactionReport) { box.withLock { $0 = report } }
}

extension CompactionReport {
    mutating func add(_ other: CompactionReport) {
        mailboxesExamined += other.mailboxesExamined
        mailboxesCompacted += other.mailboxesCompacted
        messagesRemoved += other.messagesRemoved
        bodyBytesRemoved += other.bodyBytesRemoved
    }
}

extension Shard {
    /// The same as the blocking one, for tasks.
    func onCheckpointThread(
        _ work: @escaping @Sendable () throws(StoreError) -> Void
    ) async throws(StoreError) {
        let outcome: StoreError? = await withCheckedContinuation { continuation in
            submit(MaintenanceTask(work) { continuation.resume(returning: $0) })
        }
        if let outcome { throw outcome }
    }
}
