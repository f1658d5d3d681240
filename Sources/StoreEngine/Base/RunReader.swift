internal import LMDB
internal import Mailbox

/// Gathers one answer's messages: those of the data file copied into one buffer, those of tails
/// shared.
struct PageBuilder {
    var batch = MessageBatch()
    /// What the limits still allow.
    private var messagesLeft: Int
    private var bytesLeft: Int
    /// A limit was reached with messages left over.
    private(set) var isFull = false

    /// - Parameter limit: within the store's own limits.
    init(limit: PageLimit) {
        messagesLeft = limit.messages
        bytesLeft = limit.bytes
    }

    var count: Int { batch.count }
    /// How many more messages could be taken, whatever their size.
    var room: Int { isFull ? 0 : messagesLeft }

    /// Whether a message of this size still fits; when not, the page is full.
    @inline(__always)
    mutating func admits(bodyBytes: Int) -> Bool {
        if isFull { return false }
        if messagesLeft == 0 || (bodyBytes > bytesLeft && batch.count + pending > 0) {
            isFull = true
            return false
        }
        return true
    }

    // Messages admitted to a buffer that is not yet in the batch.
    private var pending = 0

    @inline(__always)
    fileprivate mutating func take(count: Int, bodyBytes: Int) {
        pending += count
        messagesLeft -= count
        bytesLeft -= bodyBytes
    }

    /// Whether `count` messages with this sum of bodies fit as a whole.
    @inline(__always)
    fileprivate func admitsAll(count: Int, bodyBytes: Int) -> Bool {
        !isFull && count <= messagesLeft && bodyBytes <= bytesLeft
    }

    fileprivate mutating func add(buffer: [UInt8], bodyBytes: Int) {
        guard pending > 0 else { return }
        batch.append(storage: buffer, offset: 0, count: pending, bodyBytes: bodyBytes)
        pending = 0
    }

    /// Shares a message that lies in a tail. Precondition: it was admitted.
    @inline(__always)
    mutating func share(_ payload: [UInt8], offset: Int, bodyBytes: Int) {
        batch.append(storage: payload, offset: offset, count: 1, bodyBytes: bodyBytes)
        messagesLeft -= 1
        bytesLeft -= bodyBytes
    }
}

extension BaseStore {
    /// Copies the mailbox's messages `from … through` out of the data file, as far as the page
    /// admits.
    ///
    /// - Returns: the next sequence that was not copied. Below `through + 1` with a page that is
    ///   not full, the file has a hole there: it was compacted since the caller looked, or it is
    ///   damaged.
    func collect(
        _ key: MailboxKey, from: SequenceNumber, through: SequenceNumber,
        _ transaction: borrowing ReadTransaction, into page: inout PageBuilder
    ) throws(LMDBError) -> UInt64 {
        var expected = UInt64(from)
        var buffer: [UInt8] = []
        var bodyBytes = 0
        var key = key.bytes
        let messages = trees.messages
        try transaction.withCursor(in: messages) { (cursor: inout ReadCursor) throws(LMDBError) in
            guard try seekRun(containing: from, &key, &cursor) else { return }
            let prefix = key.span
            buffer.reserveCapacity(min(8_192, 160 * min(page.room, Int(through - from) + 1)))
            var ahead = ReadAhead()
            while expected <= UInt64(through), !page.isFull {
                guard let first = BaseKey.firstSequence(cursor.key, prefix: prefix) else { return }
                ahead.arrive(at: cursor.key, cursor.value)
                let header = try RunRecord.header(
                    cursor.value, key: cursor.key, first: first, isAskedFor: true)
                guard UInt64(first) <= expected, UInt64(header.last) >= expected else { return }
                let part = try Self.part(
                    of: cursor.value, header, from: expected, through: through, &page)
                buffer.append(copying: cursor.value.extracting(part.bytes))
                bodyBytes += part.bodyBytes
                expected += UInt64(part.count)
                if expected > UInt64(through) || page.isFull { return }
                guard try cursor.next() else { return }
            }
        }
        page.add(buffer: buffer, bodyBytes: bodyBytes)
        return expected
    }

    /// Places the cursor on the run that may contain `sequence`.
    ///
    /// The head's key is behind all runs, so the place behind the run wanted is always in the
    /// mailbox's stretch.
    ///
    /// - Parameter key: the mailbox's key, which has room for what is put behind it for a moment.
    private func seekRun(
        containing sequence: SequenceNumber, _ key: inout [UInt8], _ cursor: inout ReadCursor
    ) throws(LMDBError) -> Bool {
        let count = key.count
        if sequence == .max {
            key.append(BaseKey.headKind)
        } else {
            key.append(BaseKey.runKind)
            key.appendBigEndian(sequence + 1)
        }
        let isThere =
            try cursor.seek(to: key.span) ? try cursor.previous() : try cursor.last()
        key.removeLast(key.count - count)
        return isThere
    }

    /// A stretch of a run.
    private struct Part {
        var bytes: Range<Int>
        var count: Int
        var bodyBytes: Int
    }

    /// The run's messages `from … through`, as far as the page admits; the page counts them.
    @inline(__always)
    private static func part(
        of value: borrowing Span<UInt8>, _ header: RunRecord.Header, from: UInt64,
        through: SequenceNumber, _ page: inout PageBuilder
    ) throws(LMDBError) -> Part {
        var part = Part(
            bytes: RunRecord.headerByteCount..<value.count, count: header.count,
            bodyBytes: header.bodyBytes)
        if UInt64(header.first) < from {
            try skip(Int(from - UInt64(header.first)), of: value, &part, to: from)
        }
        if header.last <= through, page.admitsAll(count: part.count, bodyBytes: part.bodyBytes) {
            guard
                RunRecord.isWhole(
                    value, part.bytes, from: from, count: part.count, bodyBytes: part.bodyBytes)
            else { throw .corrupted("a run's messages are not those that it says") }
            page.take(count: part.count, bodyBytes: part.bodyBytes)
            return part
        }
        let wanted = Int(UInt64(min(through, header.last)) + 1 - from)
        part = Part(
            bytes: part.bytes.lowerBound..<part.bytes.lowerBound, count: 0, bodyBytes: 0)
        while part.count < wanted {
            let message = try message(in: value, at: part.bytes.upperBound)
            guard page.admits(bodyBytes: message.bodyByteCount) else { break }
            guard UInt64(message.sequence) == from + UInt64(part.count) else {
                throw .corrupted("a run's messages do not follow each other")
            }
            page.take(count: 1, bodyBytes: message.bodyByteCount)
            part.bytes = part.bytes.lowerBound..<part.bytes.upperBound + message.byteCount
            part.count += 1
            part.bodyBytes += message.bodyByteCount
        }
        return part
    }

    /// Takes so many messages off the part's front; `sequence` must be next.
    private static func skip(
        _ count: Int, of value: borrowing Span<UInt8>, _ part: inout Part, to sequence: UInt64
    ) throws(LMDBError) {
        var offset = part.bytes.lowerBound
        for _ in 0..<count {
            let message = try message(in: value, at: offset)
            offset += message.byteCount
            part.bodyBytes -= message.bodyByteCount
        }
        guard UInt64(try message(in: value, at: offset).sequence) == sequence else {
            throw .corrupted("a run's messages do not follow each other")
        }
        part.count -= count
        part.bytes = offset..<part.bytes.upperBound
    }

    @inline(__always)
    private static func message(
        in value: borrowing Span<UInt8>, at offset: Int
    ) throws(LMDBError) -> MessageEncoding.Header {
        guard let header = MessageEncoding.header(in: value, at: offset) else {
            throw .corrupted("a run holds bytes that are no message")
        }
        return header
    }
}
