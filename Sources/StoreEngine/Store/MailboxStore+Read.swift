public import Mailbox

extension MailboxStore {
    /// Confirms everything through the cursor, and answers what comes after it.
    public func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit = .standard
    ) throws(StoreError) -> FetchResult {
        try whileOpen { () throws(StoreError) in
            try limit.check()
            try cursor.check(against: epoch)
            return try shard(of: mailbox.receiver).fetch(
                mailbox, confirming: cursor.sequence, limit: limit, epoch: epoch)
        }
    }

    /// Reads without confirming: sequences above `after`, up to and with `through` (all when nil).
    public func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber? = nil,
        limit: PageLimit = .standard
    ) throws(StoreError) -> FetchResult {
        try whileOpen { () throws(StoreError) in
            try limit.check()
            return try shard(of: mailbox.receiver).read(
                mailbox, after: after, through: through, limit: limit, epoch: epoch)
        }
    }

    /// Confirms everything through the cursor without reading, and answers the head.
    @discardableResult
    public func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) throws(StoreError) -> Head {
        try whileOpen { () throws(StoreError) in
            try cursor.check(against: epoch)
            return try shard(of: mailbox.receiver).acknowledge(
                mailbox, through: cursor.sequence, epoch: epoch)
        }
    }

    /// What the store knows of a mailbox; `Head.empty` when nobody wrote to it.
    public func head(_ mailbox: MailboxID) throws(StoreError) -> Head {
        try whileOpen { () throws(StoreError) in
            try shard(of: mailbox.receiver).head(mailbox)
        }
    }

    /// The last client sequence of `device` that was stored in `mailbox`, 0 when none was.
    public func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) throws(StoreError) -> ClientSequence {
        try whileOpen { () throws(StoreError) in
            try shard(of: mailbox.receiver).sendState(mailbox, device)
        }
    }

    /// The receiver's mailboxes in order of sender, those above `after`, at most `limit` (1 … 10
    /// 000).
    public func inbox(
        _ receiver: Address, after: Address? = nil, limit: Int = 1_000
    ) throws(StoreError) -> InboxPage {
        try whileOpen { () throws(StoreError) in
            guard (1...10_000).contains(limit) else {
                throw .invalidArgument("the limit is \(limit) mailboxes; it must be 1 to 10000")
            }
            return try shard(of: receiver).inbox(receiver, after: after, limit: limit)
        }
    }

    /// One fetch over all senders: confirms each cursor, and answers every mailbox that has
    /// something waiting.
    public func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit = .standard
    ) throws(StoreError) -> SyncResult {
        try whileOpen { () throws(StoreError) in
            try limit.check()
            guard cursors.count <= 10_000 else {
                throw .invalidArgument(
                    "the sync has \(cursors.count) cursors; at most 10000 may come in one call")
            }
            for cursor in cursors.values { try cursor.check(against: epoch) }
            return try shard(of: receiver).sync(
                receiver, confirming: cursors.mapValues(\.sequence), limit: limit, epoch: epoch)
        }
    }
}
