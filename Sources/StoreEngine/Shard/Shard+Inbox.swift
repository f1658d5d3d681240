internal import LMDB
internal import Mailbox
internal import Synchronization

extension Shard {
    /// The receiver's heads in order of sender, those above `after`, at most `limit`, memory before
    /// data file.
    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) throws(StoreError) -> InboxPage {
        // Memory first: what leaves it afterwards is in the data file by then.
        var entries = hotEntries(receiver, after: after)
        let known = Set(entries.map(\.sender))
        var start = MailboxKey.receiverPrefix(receiver)
        let receiverPrefix = start
        // A sender's name behind the last byte that a key of `after` can have.
        if let after { after.name.appendWithLength(to: &start) }
        let afterPrefix = after == nil ? nil : start
        let cold = try readBase { transaction throws(LMDBError) -> [InboxPage.Entry] in
            var found: [InboxPage.Entry] = []
            try base.forEachHead(from: start, transaction) { prefix, head throws(LMDBError) in
                guard prefix.starts(with: receiverPrefix) else { return false }
                if prefix == afterPrefix { return true }
                guard let sender = MailboxKey(bytes: prefix.span)?.sender else {
                    throw .corrupted("a head has a key that is no mailbox's")
                }
                // Known ones count, too: memory's entries take their places.
                found.append(InboxPage.Entry(sender: sender, head: head))
                return found.count <= limit
            }
            return found
        }
        entries.append(contentsOf: cold.lazy.filter { !known.contains($0.sender) })
        entries.sort { $0.sender < $1.sender }
        guard entries.count > limit else { return InboxPage(entries: entries, next: nil) }
        entries.removeLast(entries.count - limit)
        return InboxPage(entries: entries, next: entries.last?.sender)
    }

    /// The receiver's mailboxes in memory that somebody wrote to.
    private func hotEntries(
        _ receiver: Address, after: Address?
    ) -> [InboxPage.Entry] {
        table.withLock { table in
            var entries: [InboxPage.Entry] = []
            table.forEachOfReceiver(receiver) { entry in
                guard entry.visibleMax > 0 else { return }
                let sender = entry.key.sender
                if let after, sender <= after { return }
                entries.append(InboxPage.Entry(sender: sender, head: entry.head))
            }
            return entries
        }
    }

    /// Confirms the cursors, then answers every mailbox with waiting messages, as far as the limit
    /// goes.
    func sync(
        _ receiver: Address, confirming cursors: [Address: SequenceNumber], limit: PageLimit,
        epoch: Epoch
    ) throws(StoreError) -> SyncResult {
        // All are checked before any is applied; what was allowed stays allowed, since max only
        // grows.
        for (sender, cursor) in cursors {
            let mailbox = MailboxID(sender: sender, receiver: receiver)
            let max = try head(mailbox).max
            guard cursor <= max else { throw StoreError.cursorAhead(max: max).about(mailbox) }
        }
        for (sender, cursor) in cursors where cursor > 0 {
            let mailbox = MailboxID(sender: sender, receiver: receiver)
            _ = try acknowledge(mailbox, through: cursor, epoch: epoch)
        }
        var messagesLeft = min(limit.messages, configuration.pageMessagesMaximum)
        var bytesLeft = min(limit.bytes, configuration.pageBytesMaximum)
        var entries: [SyncResult.Entry] = []
        var after: Address?
        repeat {
            let page = try waiting(receiver, after: after, limit: 256)
            for sender in page.senders {
                // Where no byte is left an empty message still fits.
                guard messagesLeft > 0 else {
                    return SyncResult(entries: entries, hasMore: true, epoch: epoch)
                }
                let mailbox = MailboxID(sender: sender, receiver: receiver)
                let result = try fetch(
                    mailbox, confirming: 0,
                    limit: PageLimit(messages: messagesLeft, bytes: bytesLeft), epoch: epoch)
                if result.messages.isEmpty { continue }
                // Only the first message of the whole answer may be larger than the limit.
                if !entries.isEmpty, result.messages.bodyBytes > bytesLeft {
                    return SyncResult(entries: entries, hasMore: true, epoch: epoch)
                }
                messagesLeft -= result.messages.count
                bytesLeft -= result.messages.bodyBytes
                entries.append(SyncResult.Entry(sender: sender, result: result))
                if result.hasMore {
                    return SyncResult(entries: entries, hasMore: true, epoch: epoch)
                }
            }
            after = page.next
        } while after != nil
        return SyncResult(entries: entries, hasMore: false, epoch: epoch)
    }

    private struct WaitingPage {
        var senders: [Address]
        var next: Address?
    }

    /// Senders above `after` who have messages waiting for the receiver, in order.
    ///
    /// The cost follows the mailboxes that wait, and those of the receiver that are in memory; not
    /// the contacts.
    private func waiting(
        _ receiver: Address, after: Address?, limit: Int
    ) throws(StoreError) -> WaitingPage {
        let hot = hotEntries(receiver, after: after)
        let known = Set(hot.map(\.sender))
        var senders = hot.lazy.filter { $0.head.waitingCount > 0 }.map(\.sender) as [Address]
        var next: Address?
        let cold = try readBase { transaction throws(LMDBError) -> [Address] in
            var found: [Address] = []
            try base.forEachWaiting(receiver, after: after, transaction) {
                prefix throws(LMDBError) in
                guard let sender = MailboxKey(bytes: prefix.span)?.sender else {
                    throw .corrupted("the list of waiting mailboxes has a key that is no mailbox's")
                }
                found.append(sender)
                return found.count < limit
            }
            return found
        }
        // The file's page ends somewhere: memory's entries beyond that belong to the next one.
        if cold.count == limit { next = cold.last }
        senders.append(contentsOf: cold.lazy.filter { !known.contains($0) })
        if let next { senders.removeAll { $0 > next } }
        senders.sort()
        return WaitingPage(senders: senders, next: next)
    }
}
