internal import Mailbox

/// One group on its way to the journal: its payload, and what was given out in the table for it.
///
/// Everything it does in the table can be taken back, newest first, as long as no other group came
/// after: an atomic request that is refused halfway, or a journal that found no room, leaves no
/// trace.
struct GroupBuilder {
    /// One message's sequence, given out and not yet durable.
    struct Allocation {
        var number: Int
        var sequence: SequenceNumber
        var bodyBytes: Int
        var timestamp: Int64
        var previousTimestamp: Int64
        /// The producer's place in the entry, −1 without one.
        var producer: Int
    }

    let position: JournalPosition
    let epoch: Epoch
    let now: Int64
    var payload: [UInt8] = []
    var recordCount = 0
    var allocations: [Allocation]
    var acknowledgements: [Int32]
    var duplicates = 0
    /// How long the journal took, when there is an observer.
    var journalNanoseconds: UInt64 = 0

    init(
        position: JournalPosition, epoch: Epoch, now: Int64, reusing turn: inout Shard.CommitTurn
    ) {
        self.position = position
        self.epoch = epoch
        self.now = min(max(0, now), MessageEncoding.maximumTimestamp)
        allocations = turn.allocations
        acknowledgements = turn.acknowledgements
        turn.allocations = []
        turn.acknowledgements = []
        allocations.removeAll(keepingCapacity: true)
        acknowledgements.removeAll(keepingCapacity: true)
    }

    /// Gives a sequence to the append, or says why not.
    ///
    /// - Parameter recall: looks a producer's record up in the data file.
    mutating func allocate(
        _ append: borrowing Append, at number: Int, durability: Durability,
        in table: inout MailboxTable,
        recall: (Producer, MailboxKey) -> Result<ProducerRecord?, StoreError>
    ) -> Result<AppendResult, StoreError> {
        allocate(append, number, durability, entry: &table[number], recall)
    }

    /// The same with the entry at hand: each way to it through the table costs two checks.
    private mutating func allocate(
        _ append: borrowing Append, _ number: Int, _ durability: Durability,
        entry: inout MailboxEntry,
        _ recall: (Producer, MailboxKey) -> Result<ProducerRecord?, StoreError>
    ) -> Result<AppendResult, StoreError> {
        var producerPlace = -1
        if let producer = append.producer {
            switch Self.admit(producer, append.body, entry: &entry, recall: recall) {
            case .next(let place): producerPlace = place
            case .duplicate(let sequence):
                duplicates += 1
                return .success(
                    AppendResult(
                        sequence: sequence, isDuplicate: true, durability: durability,
                        epoch: epoch))
            case .refused(let error): return .failure(error.about(append.mailbox))
            }
        }
        guard entry.allocatedMax < .max else {
            return .failure(StoreError.sequenceExhausted().about(append.mailbox))
        }
        let sequence = give(append, number, producerPlace: producerPlace, entry: &entry)
        return .success(
            AppendResult(
                sequence: sequence, isDuplicate: false, durability: durability,
                timestampMilliseconds: entry.allocatedTimestamp, epoch: epoch))
    }

    private enum Admission {
        case next(place: Int)
        case duplicate(SequenceNumber?)
        case refused(StoreError)
    }

    /// Compares a client sequence with what its device wrote before.
    private static func admit(
        _ producer: Producer, _ body: ArraySlice<UInt8>, entry: inout MailboxEntry,
        recall: (Producer, MailboxKey) -> Result<ProducerRecord?, StoreError>
    ) -> Admission {
        guard let place = entry.producers.firstIndex(where: { $0.device == producer.device }) else {
            guard producer.clientSequence == 1 else { return .refused(.producerGap(expected: 1)) }
            entry.producers.append(ProducerEntry(device: producer.device, last: 0))
            return .next(place: entry.producers.count - 1)
        }
        let last = entry.producers[place].last
        guard producer.clientSequence <= last else {
            return producer.clientSequence == last + 1
                ? .next(place: place) : .refused(.producerGap(expected: last + 1))
        }
        let age = last - producer.clientSequence
        guard age < ProducerRecord.window else { return .duplicate(nil) }
        let recent = entry.producers[place].recent
        let record: ProducerRecord?
        if Int(age) < recent.count {
            record = recent[recent.count - 1 - Int(age)]
        } else {
            switch recall(producer, entry.key) {
            case .success(let found): record = found
            case .failure(let error): return .refused(error)
            }
        }
        guard let record else { return .duplicate(nil) }
        return record.digest == ProducerRecord.digest(body)
            ? .duplicate(record.sequence)
            : .refused(.producerConflict(clientSequence: producer.clientSequence))
    }

    @inline(__always)
    private mutating func give(
        _ append: borrowing Append, _ number: Int, producerPlace: Int, entry: inout MailboxEntry
    ) -> SequenceNumber {
        let sequence = entry.allocatedMax + 1
        let previousTimestamp = entry.allocatedTimestamp
        let timestamp = max(previousTimestamp, now)
        JournalRecord.beginAppend(entry.key, to: &payload)
        let slot = TailSlot(
            group: UInt32(truncatingIfNeeded: position.rawValue), offset: UInt32(payload.count))
        MessageEncoding.encode(
            sequence: sequence, timestampMilliseconds: timestamp, producer: append.producer,
            body: append.body, to: &payload)
        recordCount += 1
        entry.allocatedMax = sequence
        entry.allocatedTimestamp = timestamp
        entry.tail.append(slot)
        if producerPlace >= 0 {
            entry.producers[producerPlace].last += 1
            entry.producers[producerPlace].recent.append(
                ProducerRecord(sequence: sequence, digest: ProducerRecord.digest(append.body)))
        }
        allocations.append(
            Allocation(
                number: number, sequence: sequence, bodyBytes: append.body.count,
                timestamp: timestamp, previousTimestamp: previousTimestamp, producer: producerPlace)
        )
        return sequence
    }

    /// A place in the group to which `rollBack` can return.
    struct Mark {
        var payloadCount: Int
        var recordCount: Int
        var allocationCount: Int
        var duplicates: Int
    }

    var mark: Mark {
        Mark(
            payloadCount: payload.count, recordCount: recordCount,
            allocationCount: allocations.count, duplicates: duplicates)
    }

    /// Takes back everything since the mark.
    mutating func rollBack(to mark: Mark, in table: inout MailboxTable) {
        while allocations.count > mark.allocationCount {
            let allocation = allocations.removeLast()
            let number = allocation.number
            table[number].allocatedMax -= 1
            table[number].allocatedTimestamp = allocation.previousTimestamp
            table[number].tail.removeLast()
            if allocation.producer >= 0 {
                table[number].producers[allocation.producer].last -= 1
                table[number].producers[allocation.producer].recent.removeLast()
            }
        }
        payload.removeLast(payload.count - mark.payloadCount)
        recordCount = mark.recordCount
        duplicates = mark.duplicates
    }

    /// Adds acknowledgements that the journal lacks; they ride along, and cost no sync of their
    /// own.
    mutating func takeAcknowledgements(
        atMost limit: Int, bytes: Int, from table: inout MailboxTable
    ) {
        var taken = 0
        while taken < limit, payload.count + MailboxKey.maximumCount + 6 <= bytes,
            let number = table.pendingAcknowledgements.popLast()
        {
            let place = Int(number)
            // A checkpoint wrote it meanwhile.
            guard table[place].isAcknowledgementPending else { continue }
            table[place].isAcknowledgementPending = false
            JournalRecord.encodeAcknowledge(
                table[place].key, through: table[place].acknowledged, to: &payload)
            recordCount += 1
            acknowledgements.append(number)
            taken += 1
        }
    }

    /// The group was not written: its acknowledgements wait for the next one.
    func returnAcknowledgements(to table: inout MailboxTable) {
        for number in acknowledgements where !table[Int(number)].isAcknowledgementPending {
            table[Int(number)].isAcknowledgementPending = true
            table.pendingAcknowledgements.append(number)
        }
    }
    /// Says what was written, if anything was.
    func tell(_ observer: any StoreObserver, shard: Int) {
        guard !payload.isEmpty else { return }
        observer.groupCommitted(
            CommittedGroup(
                shard: shard, messages: allocations.count,
                bytes: JournalFrame.byteCount(payload: payload.count),
                journalNanoseconds: journalNanoseconds))
    }
}
