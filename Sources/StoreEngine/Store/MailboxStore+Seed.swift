internal import LMDB
package import Mailbox
internal import Synchronization

extension MailboxStore {
    /// Makes a mailbox that looks as if `max` messages had been stored, confirmed and removed: what
    /// tests of the last sequences begin with.
    ///
    /// - Throws: `invalidArgument` when somebody wrote to the mailbox already.
    package func beginMailbox(_ mailbox: MailboxID, at max: SequenceNumber) throws(StoreError) {
        let shard = shard(of: mailbox.receiver)
        guard try head(mailbox) == .empty else {
            throw .invalidArgument("\(mailbox) has messages; name one that nobody wrote to")
        }
        try shard.onCheckpointThread { () throws(StoreError) in
            let key = BaseKey.head(MailboxKey(mailbox).bytes)
            let head = Head(
                max: max, acknowledged: max, floor: max, bodyBytes: 0,
                newestTimestampMilliseconds: 0)
            let messages = shard.base.trees.messages
            try onBase { () throws(LMDBError) in
                try shard.base.environment.write {
                    (transaction: inout WriteTransaction) throws(LMDBError) in
                    try transaction.put(
                        key: key.span, value: HeadRecord.encode(head, key: key).span, in: messages)
                }
            }
            shard.table.withLock { $0.noteTrim() }
        }
    }
}
