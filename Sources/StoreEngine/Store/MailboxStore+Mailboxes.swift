internal import LMDB
public import Mailbox
internal import Synchronization

/// A page of all mailboxes of a store, ordered by receiver, then sender.
public struct MailboxPage: Hashable, Sendable {
    /// One mailbox.
    public struct Entry: Hashable, Sendable {
        /// Which mailbox.
        public var mailbox: MailboxID
        /// What the store knows of it.
        public var head: Head
    }

    /// The page's mailboxes.
    public var entries: [Entry]
    /// Where the next page begins (`after:`); nil when this is the last.
    public var next: MailboxID?
}

extension MailboxStore {
    /// All mailboxes that somebody ever wrote to, above `after`, at most `limit` (1 … 10 000).
    ///
    /// - Throws: `invalidArgument`, `corrupted`, `failed`, `closed`.
    public func mailboxes(
        after: MailboxID? = nil, limit: Int = 1_000
    ) throws(StoreError) -> MailboxPage {
        try whileOpen { () throws(StoreError) in
            guard (1...10_000).contains(limit) else {
                throw .invalidArgument("the limit is \(limit) mailboxes; it must be 1 to 10000")
            }
            var entries: [MailboxPage.Entry] = []
            for shard in shards { entries += try shard.mailboxes(after: after, limit: limit) }
            entries.sort { MailboxKey($0.mailbox) < MailboxKey($1.mailbox) }
            guard entries.count > limit else { return MailboxPage(entries: entries, next: nil) }
            entries.removeLast(entries.count - limit)
            return MailboxPage(entries: entries, next: entries.last?.mailbox)
        }
    }

    /// Hands out every mailbox, and every message that the store still has, in the order of keys.
    ///
    /// Beside live traffic: each mailbox is as of when its turn comes.
    ///
    /// - Parameter body: called with each mailbox's head and no message first, then with each of
    ///   its messages.
    /// - Throws: what `body` throws, `corrupted`, `failed`, `closed`.
    public func dump(
        _ body: (MailboxID, Head, Message?) throws(StoreError) -> Void
    ) throws(StoreError) {
        var after: MailboxID?
        repeat {
            let page = try mailboxes(after: after, limit: 1_000)
            for entry in page.entries { try dump(entry.mailbox, body) }
            after = page.next
        } while after != nil
    }

    private func dump(
        _ mailbox: MailboxID, _ body: (MailboxID, Head, Message?) throws(StoreError) -> Void
    ) throws(StoreError) {
        let head = try head(mailbox)
        try body(mailbox, head, nil)
        var after = head.floor
        while after < head.max {
            let page: FetchResult
            do throws(StoreError) {
                page = try read(
                    mailbox, after: after, through: head.max,
                    limit: PageLimit(messages: 1_000, bytes: 1 << 20))
            } catch {
                // Compacted meanwhile: go on above.
                guard error.code == .trimmed, let floor = error.facts.floor else { throw error }
                after = floor
                continue
            }
            for message in page.messages { try body(mailbox, head, message) }
            guard let last = page.messages.lastSequence else { return }
            after = last
        }
    }
}

extension Shard {
    /// The shard's mailboxes above `after`, at least `limit + 1` of them when there are so many.
    fileprivate func mailboxes(
        after: MailboxID?, limit: Int
    ) throws(StoreError) -> [MailboxPage.Entry] {
        let start = after.map { MailboxKey($0) }
        var entries = table.withLock { table in
            var entries: [MailboxPage.Entry] = []
            table.forEach { entry in
                guard !entry.isInBase, entry.visibleMax > 0 else { return }
                if let start, !(start < entry.key) { return }
                entries.append(MailboxPage.Entry(mailbox: entry.key.mailbox, head: entry.head))
            }
            return entries
        }
        let known = Set(entries.map(\.mailbox))
        let startBytes = start?.bytes ?? BaseStore.markerKey
        let cold = try readBase { transaction throws(LMDBError) in
            var found: [MailboxPage.Entry] = []
            try base.forEachHead(from: startBytes, transaction) { prefix, head throws(LMDBError) in
                if prefix == startBytes { return true }
                guard let key = MailboxKey(bytes: prefix.span) else {
                    throw .corrupted("a head has a key that is no mailbox's")
                }
                found.append(MailboxPage.Entry(mailbox: key.mailbox, head: head))
                return found.count <= limit
            }
            return found
        }
        for entry in cold where !known.contains(entry.mailbox) {
            // Memory's head is newer than the file's.
            entries.append(MailboxPage.Entry(mailbox: entry.mailbox, head: try head(entry.mailbox)))
        }
        return entries
    }
}

extension MailboxTable {
    /// Calls `body` with each mailbox in memory, in no order.
    func forEach(_ body: (borrowing MailboxEntry) -> Void) {
        for number in 0..<numbersGiven where find(self[number].key) == number {
            body(self[number])
        }
    }
}
