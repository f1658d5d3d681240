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
    let tail: [(payload: [UInt8], offset: Int)]
    let producers: [Producer]
    /// The bytes of these messages.
    let tailBytes: Int
    /// False when the tail was too long for one step: the mailbox comes again.
    let isWhole: Bool

    /// Takes what is durable and new, at most about `bytes` of it.
    init(_ entry: borrowing MailboxEntry, number: Int, table: borrowing MailboxTable, bytes: Int) {
        self.number = number
        key = entry.key
        var tail: [(payload: [UInt8], offset: Int)] = []
        let visible = Int(entry.visibleMax - entry.baseMax)
        tail.reserveCapacity(visible)
        var taken = 0
        var newestTimestamp = entry.newestTimestamp
        for slot in entry.tail[..<visible] {
            let payload = table.payload(slot)
            let offset = Int(slot.offset)
            guard let header = MessageEncoding.header(in: payload.span, at: offset) else {
                preconditionFailure("a tail points at bytes that are no message")
            }
            if taken > 0, taken + header.byteCount > bytes { break }
            taken += header.byteCount
            tail.append((payload, offset))
            newestTimestamp = header.timestampMilliseconds
        }
        isWhole = tail.count == visible
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
}
