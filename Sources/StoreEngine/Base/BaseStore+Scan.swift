internal import LMDB
internal import Mailbox

extension BaseStore {
    /// Calls `body` with each mailbox's key and head, in order, from the mailbox `start` on, until
    /// it answers false.
    ///
    /// Goes from head to head without reading the messages between.
    func forEachHead(
        from start: [UInt8], _ transaction: borrowing ReadTransaction,
        _ body: (_ prefix: [UInt8], _ head: Head) throws(LMDBError) -> Bool
    ) throws(LMDBError) {
        try transaction.withCursor(in: trees.messages) {
            (cursor: inout ReadCursor) throws(LMDBError) in
            var isThere = try cursor.seek(to: start.span)
            var last = start
            while isThere {
                guard let count = BaseKey.mailboxKeyCount(cursor.key) else {
                    // The marker is no mailbox.
                    isThere = try cursor.next()
                    continue
                }
                var headKey: [UInt8] = []
                headKey.append(copying: cursor.key.extracting(0..<count))
                let prefix = headKey
                // A damaged tree may lead back to where the walk was before: it would never end.
                guard last.lexicographicallyPrecedes(prefix) || (last == start && prefix == start)
                else {
                    throw .corrupted("the tree 'messages' is out of order")
                }
                last = prefix
                headKey.append(BaseKey.headKind)
                guard try cursor.seek(exactly: headKey.span) else {
                    throw .corrupted("a mailbox has messages and no head")
                }
                let head = try HeadRecord.decode(cursor.value, key: headKey.span)
                guard try body(prefix, head) else { return }
                isThere = try cursor.next()
            }
        }
    }

    /// The receiver's mailboxes with waiting messages, senders above `after`, until `body` answers
    /// false.
    func forEachWaiting(
        _ receiver: Address, after: Address?, _ transaction: borrowing ReadTransaction,
        _ body: (_ prefix: [UInt8]) throws(LMDBError) -> Bool
    ) throws(LMDBError) {
        let receiverPrefix = MailboxKey.receiverPrefix(receiver)
        var start = receiverPrefix
        after?.name.appendWithLength(to: &start)
        try transaction.withCursor(in: trees.waiting) {
            (cursor: inout ReadCursor) throws(LMDBError) in
            var isThere = try cursor.seek(to: start.span)
            while isThere, cursor.key.hasPrefix(receiverPrefix.span) {
                var prefix: [UInt8] = []
                prefix.append(copying: cursor.key)
                if after == nil || prefix != start {
                    try BaseRecord.check(
                        cursor.value, key: cursor.key, atLeast: BaseRecord.headerByteCount)
                    guard try body(prefix) else { return }
                }
                isThere = try cursor.next()
            }
        }
    }
}
