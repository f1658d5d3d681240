internal import LMDB
internal import Mailbox
internal import Synchronization

extension Shard {
    /// Applies a retention policy to every mailbox of the data file, in small transactions.
    ///
    /// On the checkpoint thread, behind a checkpoint: it acts on acknowledgements that the data
    /// file has, so durable ones.
    func compact(_ policy: RetentionPolicy) throws(StoreError) -> CompactionReport {
        if let failure { throw failure }
        let before = counters.withLock { $0.removal }
        shortened.withLock { $0 = [] }
        defer { shortened.withLock { $0 = nil } }
        // Without room for messages the checkpoint still wrote acknowledgements: compaction makes
        // the room.
        var isBehindCheckpoint = true
        do throws(StoreError) { try checkpoint() } catch  where error.code == .storageFull {
            isBehindCheckpoint = false
        }
        var examined = try compactAll(policy)
        if condition.withLock({ $0.full != nil }) || !isBehindCheckpoint {
            let hasRoom = (try? checkpoint()) != nil
            // What the first checkpoint had no room for is in the data file now.
            if hasRoom, !isBehindCheckpoint { examined = try compactAll(policy) }
        }
        let removal = counters.withLock { $0.removal }
        return CompactionReport(
            mailboxesExamined: examined,
            mailboxesCompacted: removal.mailboxesCompacted - before.mailboxesCompacted,
            messagesRemoved: removal.messagesRemoved - before.messagesRemoved,
            bodyBytesRemoved: removal.bodyBytesRemoved - before.bodyBytesRemoved)
    }

    /// Walks over all heads of the data file.
    ///
    /// - Returns: how many there are.
    private func compactAll(_ policy: RetentionPolicy) throws(StoreError) -> Int {
        var examined = 0
        var after: [UInt8]? = BaseStore.markerKey
        while let start = after {
            let page = try heads(after: start, limit: 1_024)
            do throws(StoreError) {
                try compact(page.heads, policy)
            } catch {
                // As for checkpoints: whatever does not pass by itself ends the shard.
                if error.code != .storageFull { fail(error) }
                throw error
            }
            examined += page.heads.count
            after = page.next
            // Appends that wait for memory need a checkpoint more than this one's next step.
            let isPressed = control.withLock { $0.wantsCheckpoint }
            if isPressed { _ = try? checkpoint() }
        }
        return examined
    }

    private struct HeadPage {
        var heads: [(prefix: [UInt8], head: Head)] = []
        var next: [UInt8]?
    }

    /// The data file's heads behind a key, in the order of keys.
    private func heads(after start: [UInt8], limit: Int) throws(StoreError) -> HeadPage {
        try onBase { () throws(LMDBError) in
            try base.environment.read { transaction throws(LMDBError) in
                var page = HeadPage()
                try base.forEachHead(from: start, transaction) { prefix, head throws(LMDBError) in
                    if prefix == start { return true }
                    page.heads.append((prefix, head))
                    if page.heads.count < limit { return true }
                    page.next = prefix
                    return false
                }
                return page
            }
        }
    }

    private func compact(
        _ heads: [(prefix: [UInt8], head: Head)], _ policy: RetentionPolicy
    ) throws(StoreError) {
        let writer = BaseWriter(base: base, retention: policy, now: time.now())
        var candidates = heads.filter { $0.head.acknowledged > $0.head.floor }
        while !candidates.isEmpty {
            let step = candidates
            let trimmed = try writingBase(
                before: [.compactionBeforeCommit], after: .compactionAfterCommit
            ) { (transaction: inout WriteTransaction) throws(LMDBError) in
                try writer.trimHeads(step, &transaction)
            }
            note(trimmed)
            candidates = trimmed.filter(\.isUnfinished).map { ($0.prefix, $0.head) }
        }
    }

    /// Tells memory what compaction did in the data file.
    private func note(_ trimmed: [BaseWriter.TrimmedHead]) {
        table.withLock { table in
            // Whoever read a head before the commit must not bring it into memory now.
            table.noteTrim()
            for item in trimmed {
                guard let key = MailboxKey(bytes: item.prefix.span), let number = table.find(key),
                    // Loaded behind the commit: it knows.
                    table[number].floor < item.head.floor
                else { continue }
                table[number].floor = item.head.floor
                table[number].bodyBytes -= item.removed.bodyBytes
            }
        }
        let firsts = shortened.withLock { shortened in
            trimmed.count { item in
                let hash = MailboxKey(bytes: item.prefix.span)?.hash ?? 0
                return !item.isUnfinished && shortened?.insert(hash).inserted ?? true
            }
        }
        counters.withLock { counters in
            counters.removal.mailboxesCompacted += firsts
            for item in trimmed {
                counters.removal.messagesRemoved += item.removed.messages
                counters.removal.bodyBytesRemoved += item.removed.bodyBytes
            }
        }
    }
}

extension BaseWriter {
    struct TrimmedHead {
        let prefix: [UInt8]
        let head: Head
        let removed: Removed
        /// More could be removed than one transaction may.
        let isUnfinished: Bool
    }

    /// Trims mailboxes as far as the policy allows, by what the data file itself says is
    /// acknowledged.
    func trimHeads(
        _ heads: [(prefix: [UInt8], head: Head)], _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> [TrimmedHead] {
        try transaction.withWriteCursor(in: base.trees.messages) {
            (cursor: inout WriteCursor) throws(LMDBError) in
            var trimmed: [TrimmedHead] = []
            for (prefix, head) in heads {
                guard let key = MailboxKey(bytes: prefix.span) else {
                    throw .corrupted("a head has a key that is no mailbox's")
                }
                let floor = try floor(
                    MailboxSnapshot(key: key, head: head), prefix, &cursor)
                guard floor > head.floor else { continue }
                let removed = try trim(prefix, through: floor, &cursor)
                var head = head
                head.floor = min(floor, removed.through)
                head.bodyBytes -= removed.bodyBytes
                let headKey = BaseKey.head(prefix)
                try cursor.put(
                    key: headKey.span, value: HeadRecord.encode(head, key: headKey).span)
                trimmed.append(
                    TrimmedHead(
                        prefix: prefix, head: head, removed: removed,
                        isUnfinished: removed.through < floor))
            }
            return trimmed
        }
    }
}
