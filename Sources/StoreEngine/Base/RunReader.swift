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
        _ prefix: [UInt8], from: SequenceNumber, through: SequenceNumber,
        _ transaction: borrowing ReadTransaction, into page: inout PageBuilder
    ) throws(LMDBError) -> UInt64 {
        var expected = UInt64(from)
        var buffer: [UInt8] = []
        var bodyBytes = 0
        let messages = trees.messages
        try transaction.withCursor(in: messages) { (cursor: inout ReadCursor) throws(LMDBError) in
            guard try seekRun(containing: from, prefix, &cursor) else { return }
            buffer.reserveCapacity(min(8_192, 160 * min(page.room, Int(through - from) + 1)))
            while expected <= UInt64(through), !page.isFull {
                guard let first = BaseKey.firstSequence(cursor.key, prefix: prefix) else { return }
                let header = try RunRecord.header(cursor.value, key: cursor.key, first: first)
                guard UInt64(first) <= expected, UInt64(header.last) >= expected else { return }
                if UInt64(first) == expected, header.last <= through,
                    page.admitsAll(count: header.count, bodyBytes: header.bodyBytes)
                {
                    buffer.append(
                        copying: cursor.value.extracting(
                            RunRecord.headerByteCount..<cursor.value.count))
                    page.take(count: header.count, bodyBytes: header.bodyBytes)
                    bodyBytes += header.bodyBytes
                    expected = UInt64(header.last) + 1
                } else {
                    try Self.copyPart(
                        of: cursor.value, from: &expected, through: through, to: &buffer,
                        bodyBytes: &bodyBytes, page: &page)
                }
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
    func seekRun<Access>(
        containing sequence: SequenceNumber, _ prefix: [UInt8], _ cursor: inout TreeCursor<Access>
    ) throws(LMDBError) -> Bool {
        let behind =
            sequence == .max
            ? BaseKey.head(prefix) : BaseKey.run(prefix, first: sequence + 1)
        guard try cursor.seek(to: behind.span) else { return try cursor.last() }
        return try cursor.previous()
    }

    private static func copyPart(
        of value: borrowing Span<UInt8>, from expected: inout UInt64, through: SequenceNumber,
        to buffer: inout [UInt8], bodyBytes: inout Int, page: inout PageBuilder
    ) throws(LMDBError) {
        var offset = RunRecord.headerByteCount
        while offset < value.count {
            guard let header = MessageEncoding.header(in: value, at: offset) else {
                throw .corrupted("a run holds bytes that are no message")
            }
            let end = offset + header.byteCount
            if UInt64(header.sequence) == expected {
                guard header.sequence <= through, page.admits(bodyBytes: header.bodyByteCount)
                else { return }
                buffer.append(copying: value.extracting(offset..<end))
                page.take(count: 1, bodyBytes: header.bodyByteCount)
                bodyBytes += header.bodyByteCount
                expected += 1
            }
            offset = end
        }
    }
}
