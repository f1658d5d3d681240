internal import LMDB
internal import Mailbox

/// Writes mailboxes into the data file, within one write transaction. Mailboxes come in the order
/// of their keys.
struct BaseWriter {
    let base: BaseStore
    let retention: RetentionPolicy
    let now: Int64

    /// Writes what the snapshot holds: messages that survive, the head, the list of waiting
    /// mailboxes, producers.
    func write(
        _ snapshots: [MailboxSnapshot], _ transaction: inout WriteTransaction
    ) throws(LMDBError) -> [MailboxOutcome] {
        var outcomes: [MailboxOutcome] = []
        outcomes.reserveCapacity(snapshots.count)
        let prefixes = snapshots.map { $0.key.bytes }
        try transaction.withWriteCursor(in: base.trees.messages) {
            (cursor: inout WriteCursor) throws(LMDBError) in
            for (snapshot, prefix) in zip(snapshots, prefixes) {
                outcomes.append(try writeMessages(snapshot, prefix, &cursor))
            }
        }
        for (snapshot, prefix) in zip(snapshots, prefixes) {
            for producer in snapshot.producers {
                try write(producer, prefix, &transaction)
            }
        }
        for (place, snapshot) in snapshots.enumerated()
        where outcomes[place].isWaiting != snapshot.isWaitingInBase {
            try setWaiting(outcomes[place].isWaiting, prefixes[place], &transaction)
        }
        return outcomes
    }

    // MARK: Messages

    private func writeMessages(
        _ snapshot: MailboxSnapshot, _ prefix: [UInt8], _ cursor: inout WriteCursor
    ) throws(LMDBError) -> MailboxOutcome {
        var baseBodyBytes: UInt64 = 0
        if snapshot.isInBase {
            let key = BaseKey.head(prefix)
            guard try cursor.seek(exactly: key.span) else {
                throw .corrupted("the head of a mailbox is missing")
            }
            baseBodyBytes = try HeadRecord.decode(cursor.value, key: key.span).bodyBytes
        }
        var outcome = MailboxOutcome(
            number: snapshot.number, max: snapshot.max, acknowledged: snapshot.acknowledged,
            floor: snapshot.floor, isWaiting: snapshot.max > snapshot.acknowledged)
        outcome.floor = try floor(snapshot, prefix, &cursor)
        if snapshot.isInBase, outcome.floor > snapshot.floor, snapshot.floor < snapshot.baseMax {
            let removed = try trim(prefix, through: outcome.floor, &cursor)
            // The rest goes next time: what is left above stays readable.
            outcome.isUnfinished = removed.through < outcome.floor
            outcome.floor = min(outcome.floor, max(removed.through, snapshot.floor))
            outcome.removedMessages = removed.messages
            outcome.removedBodyBytes = removed.bodyBytes
            guard removed.bodyBytes <= baseBodyBytes else {
                throw .corrupted("the head of a mailbox counts fewer bytes than its messages have")
            }
            baseBodyBytes -= removed.bodyBytes
        }
        let added = try appendTail(snapshot, prefix, &outcome, &cursor)
        guard added <= UInt64.max - baseBodyBytes else {
            throw .corrupted("the head of a mailbox counts more bytes than there can be")
        }
        baseBodyBytes += added
        let key = BaseKey.head(prefix)
        let head = Head(
            max: snapshot.max, acknowledged: snapshot.acknowledged, floor: outcome.floor,
            bodyBytes: baseBodyBytes, newestTimestampMilliseconds: snapshot.newestTimestamp)
        try cursor.put(key: key.span, value: HeadRecord.encode(head, key: key).span)
        return outcome
    }

    /// Writes the tail's messages above the floor: into the newest run as long as it has room, then
    /// into new ones.
    ///
    /// - Returns: the body bytes that were written.
    private func appendTail(
        _ snapshot: MailboxSnapshot, _ prefix: [UInt8], _ outcome: inout MailboxOutcome,
        _ cursor: inout WriteCursor
    ) throws(LMDBError) -> UInt64 {
        var run = RunWriter(prefix: prefix)
        var written: UInt64 = 0
        for message in snapshot.tail {
            prefetch(message.bytes.extracting(first: 128))
        }
        for message in snapshot.tail {
            let header = message.header
            if header.sequence <= outcome.floor {
                outcome.removedMessages += 1
                outcome.skippedMessages += 1
                outcome.removedBodyBytes += UInt64(header.bodyByteCount)
                continue
            }
            if outcome.writtenMessages == 0, snapshot.isInBase, outcome.floor < snapshot.baseMax {
                try run.resume(behind: header.sequence, adding: header.byteCount, &cursor)
            }
            try run.add(
                message.bytes, sequence: header.sequence, bodyBytes: header.bodyByteCount, &cursor)
            outcome.writtenMessages += 1
            written += UInt64(header.bodyByteCount)
        }
        try run.flush(&cursor)
        return written
    }

    // MARK: Producers and the waiting list

    private func write(
        _ producer: MailboxSnapshot.Producer, _ prefix: [UInt8],
        _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        var clientSequence = producer.first
        var records = producer.records[...]
        while !records.isEmpty {
            let block = ProducerBlock.number(of: clientSequence)
            let place = ProducerBlock.place(of: clientSequence)
            let key = BaseKey.producerBlock(prefix, producer.device, block: block)
            var content: [ProducerRecord] = []
            if place > 0 {
                guard
                    let value = try transaction.value(for: key.span, in: base.trees.producers)
                else { throw .corrupted("a producer's newest block is missing") }
                content = try ProducerBlock.decode(value, key: key.span)
                // Replayed records may be there already; what comes now says the same.
                guard content.count >= place else {
                    throw .corrupted("a producer's newest block has a hole")
                }
                content.removeLast(content.count - place)
            }
            let count = min(records.count, Int(ProducerBlock.capacity) - place)
            content.append(contentsOf: records.prefix(count))
            records = records.dropFirst(count)
            clientSequence = clientSequence &+ ClientSequence(count)
            try transaction.put(
                key: key.span, value: ProducerBlock.encode(content, key: key).span,
                in: base.trees.producers)
            if place == 0, block > ProducerBlock.blocksKept {
                let old = BaseKey.producerBlock(
                    prefix, producer.device, block: block - ProducerBlock.blocksKept - 1)
                _ = try transaction.delete(key: old.span, in: base.trees.producers)
            }
        }
    }

    private func setWaiting(
        _ isWaiting: Bool, _ prefix: [UInt8], _ transaction: inout WriteTransaction
    ) throws(LMDBError) {
        if isWaiting {
            var record = BaseRecord.begin()
            BaseRecord.seal(&record, key: prefix)
            try transaction.put(key: prefix.span, value: record.span, in: base.trees.waiting)
        } else {
            _ = try transaction.delete(key: prefix.span, in: base.trees.waiting)
        }
    }
}

/// Gathers messages into runs of about the target size.
private struct RunWriter {
    let prefix: [UInt8]
    private var record: [UInt8] = []
    private var first: SequenceNumber = 0
    private var count = 0
    private var bodyBytes = 0

    init(prefix: [UInt8]) { self.prefix = prefix }

    /// Goes on with the newest run, when it is the one in front of `sequence` and has room.
    mutating func resume(
        behind sequence: SequenceNumber, adding byteCount: Int, _ cursor: inout WriteCursor
    ) throws(LMDBError) {
        let headKey = BaseKey.head(prefix)
        guard try cursor.seek(exactly: headKey.span), try cursor.previous(),
            let first = BaseKey.firstSequence(cursor.key, prefix: prefix.span),
            cursor.value.count + byteCount <= RunRecord.targetByteCount
        else { return }
        let header = try RunRecord.header(cursor.value, key: cursor.key, first: first)
        guard UInt64(header.last) + 1 == UInt64(sequence) else { return }
        record.reserveCapacity(RunRecord.targetByteCount)
        record.append(copying: cursor.value)
        self.first = first
        count = header.count
        bodyBytes = header.bodyBytes
    }

    mutating func add(
        _ message: borrowing Span<UInt8>, sequence: SequenceNumber, bodyBytes: Int,
        _ cursor: inout WriteCursor
    ) throws(LMDBError) {
        if count > 0, record.count + message.count > RunRecord.targetByteCount {
            try flush(&cursor)
        }
        if count == 0 {
            record = RunRecord.begin()
            record.reserveCapacity(RunRecord.targetByteCount)
            first = sequence
            self.bodyBytes = 0
        }
        record.append(copying: message)
        count += 1
        self.bodyBytes += bodyBytes
    }

    mutating func flush(_ cursor: inout WriteCursor) throws(LMDBError) {
        guard count > 0 else { return }
        let key = BaseKey.run(prefix, first: first)
        RunRecord.seal(&record, key: key, count: count, bodyBytes: bodyBytes)
        try cursor.put(key: key.span, value: record.span)
        count = 0
    }
}
