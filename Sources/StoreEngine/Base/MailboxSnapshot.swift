internal import Mailbox

/// What a checkpoint writes of one mailbox: taken under the table lock, written without it.
struct MailboxSnapshot {
    struct Producer {
        let device: DeviceID
        /// The client sequence of the first record.
        let first: ClientSequence
        let records: [ProducerRecord]
    }

    let number: Int
    let key: MailboxKey
    /// The head as it will stand on disk, but for floor and bytes, which the writer finds.
    let max: SequenceNumber
    let acknowledged: SequenceNumber
    let floor: SequenceNumber
    let newestTimestamp: Int64
    let baseMax: SequenceNumber
    let isInBase: Bool
    let isWaitingInBase: Bool
    /// The encoded messages `baseMax + 1 … max`.
    let tail: [LentMessage]
    let producers: [Producer]
    /// The bytes of these messages.
    let tailBytes: Int
    /// False when the tail was too long for one step: the mailbox comes again.
    let isWhole: Bool
    /// Newer messages wait for a sync: the mailbox is for the next checkpoint, too.
    let leavesUnsynced: Bool

    /// Takes what is durable and new, at most about `bytes` of it.
    ///
    /// - Parameter synced: with a durability below `.commit`, the newest group that is known to be
    ///   on the disk.
    init(
        _ entry: borrowing MailboxEntry, number: Int, table: borrowing MailboxTable, bytes: Int,
        synced: JournalPosition?
    ) {
        self.number = number
        key = entry.key
        var tail: [LentMessage] = []
        let visible = Int(entry.visibleMax - entry.baseMax)
        tail.reserveCapacity(visible)
        var taken = 0
        var newestTimestamp = entry.newestTimestamp
        var isCutByBytes = false
        table.prefetchMessages(entry.tail[..<visible])
        for slot in entry.tail[..<visible] {
            if let synced, !slot.isIn(groupsThrough: synced) { break }
            let message = table.lend(slot)
            if taken > 0, taken + message.header.byteCount > bytes {
                isCutByBytes = true
                break
            }
            taken += message.header.byteCount
            tail.append(message)
            newestTimestamp = message.header.timestampMilliseconds
        }
        isWhole = !isCutByBytes
        leavesUnsynced = isWhole && tail.count < visible
        tailBytes = taken
        let max = entry.baseMax + SequenceNumber(tail.count)
        self.max = max
        self.tail = tail
        acknowledged = min(entry.acknowledged, max)
        floor = entry.floor
        baseMax = entry.baseMax
        self.newestTimestamp = newestTimestamp
        isInBase = entry.isInBase
        isWaitingInBase = entry.isWaitingInBase
        producers = entry.producers.compactMap { producer in
            let count = producer.recent.prefix { $0.sequence <= max }.count
            guard count > 0 else { return nil }
            let first = producer.last - ClientSequence(producer.recent.count) + 1
            return Producer(
                device: producer.device, first: first, records: Array(producer.recent[..<count]))
        }
    }
}

extension MailboxSnapshot {
    /// A mailbox as the data file has it, without anything new but perhaps acknowledgements.
    private init(
        number: Int, key: MailboxKey, head: Head, isWaitingInBase: Bool
    ) {
        self.number = number
        self.key = key
        max = head.max
        acknowledged = head.acknowledged
        floor = head.floor
        newestTimestamp = head.newestTimestampMilliseconds
        baseMax = head.max
        isInBase = true
        self.isWaitingInBase = isWaitingInBase
        tail = []
        producers = []
        tailBytes = 0
        isWhole = true
        leavesUnsynced = false
    }

    /// A mailbox that is not in memory.
    init(key: MailboxKey, head: Head) {
        self.init(
            number: -1, key: key, head: head, isWaitingInBase: head.max > head.acknowledged)
    }

    /// What the data file has of a mailbox in memory, with what was acknowledged of that since.
    init(headOf entry: MailboxEntry, number: Int) {
        var head = entry.head
        head.max = entry.baseMax
        head.acknowledged = min(head.acknowledged, head.max)
        self.init(
            number: number, key: entry.key, head: head, isWaitingInBase: entry.isWaitingInBase)
    }
}

/// What a checkpoint or a compaction did to one mailbox in the data file.
struct MailboxOutcome {
    var number: Int
    /// Everything through it is in the data file, or removed.
    var max: SequenceNumber
    var acknowledged: SequenceNumber
    var floor: SequenceNumber
    var isWaiting: Bool
    /// Body bytes of the messages that left, and how many those were.
    var removedBodyBytes: UInt64 = 0
    var removedMessages = 0
    /// Of these, messages that never were in the data file.
    var skippedMessages = 0
    var writtenMessages = 0
    /// More could be removed than one transaction may.
    var isUnfinished = false
}
