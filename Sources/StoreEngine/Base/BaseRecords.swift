internal import Glibc
internal import LMDB
internal import Mailbox

/// Keys of the data file's trees: order-preserving, big-endian. See docs/FORMAT.md.
///
/// `messages`: mailbox key, kind, first sequence. The head's kind sorts behind the newest message,
/// so that writing a mailbox's newest messages and its head touches one leaf.
enum BaseKey {
    static let runKind: UInt8 = 1
    static let headKind: UInt8 = 2

    /// The key of a mailbox's head.
    static func head(_ prefix: [UInt8]) -> [UInt8] {
        var key = prefix
        key.append(headKind)
        return key
    }

    /// The key of the run that begins with `first`.
    static func run(_ prefix: [UInt8], first: SequenceNumber) -> [UInt8] {
        var key = prefix
        key.append(runKind)
        key.appendBigEndian(first)
        return key
    }

    /// The first sequence of a run's key, or nil when the key is not one of this mailbox's runs.
    @inline(__always)
    static func firstSequence(
        _ key: borrowing Span<UInt8>, prefix: borrowing Span<UInt8>
    ) -> SequenceNumber? {
        guard key.count == prefix.count + 5, key[prefix.count] == runKind, key.hasPrefix(prefix)
        else { return nil }
        return key.bigEndian(prefix.count + 1)
    }

    /// The number of bytes of the mailbox key that a key of any tree begins with, nil when it is
    /// none.
    static func mailboxKeyCount(_ key: borrowing Span<UInt8>) -> Int? {
        guard key.count >= 4 else { return nil }
        let receiverCount = Int(key[0])
        guard receiverCount >= 1, receiverCount + 3 <= key.count else { return nil }
        let count = 2 + receiverCount + Int(key[1 + receiverCount])
        return count <= key.count && key[1 + receiverCount] >= 1 ? count : nil
    }

    /// The key of a block of a producer's records.
    static func producerBlock(_ prefix: [UInt8], _ device: DeviceID, block: UInt32) -> [UInt8] {
        var key = producer(prefix, device)
        key.appendBigEndian(block)
        return key
    }

    /// What all keys of a producer begin with.
    static func producer(_ prefix: [UInt8], _ device: DeviceID) -> [UInt8] {
        var key = prefix
        device.name.appendWithLength(to: &key)
        return key
    }
}

extension Span where Element == UInt8 {
    /// Whether the span begins with these bytes.
    @inline(__always)
    func hasPrefix(_ prefix: borrowing Span<UInt8>) -> Bool {
        guard count >= prefix.count else { return false }
        return unsafe withUnsafeBytes { bytes in
            unsafe prefix.withUnsafeBytes { prefix in
                guard let start = bytes.baseAddress, let wanted = prefix.baseAddress
                else { return unsafe prefix.isEmpty }
                return unsafe memcmp(start, wanted, prefix.count) == 0
            }
        }
    }
}

/// What every record of the data file begins with: a version and a checksum over key and value.
///
/// ```
///  0         1        2       4      8
///  +---------+--------+-------+------+------
///  | version | 0      | count | CRC  | …
///  +---------+--------+-------+------+------
/// ```
enum BaseRecord {
    static let version: UInt8 = 1
    static let headerByteCount = 8

    /// Begins a record; `seal` completes it.
    static func begin(count: Int = 0) -> [UInt8] {
        var bytes: [UInt8] = [version, 0]
        bytes.appendLittleEndian(UInt16(count))
        bytes.appendLittleEndian(UInt32(0))
        return bytes
    }

    /// Writes the checksum into a record that is otherwise complete.
    static func seal(_ record: inout [UInt8], key: [UInt8]) {
        record.overwriteLittleEndian(checksum(of: record.span, key: key.span), at: 4)
    }

    @inline(__always)
    private static func checksum(
        of value: borrowing Span<UInt8>, key: borrowing Span<UInt8>
    ) -> UInt32 {
        let front = StoreEngine.checksum(
            value.extracting(0..<4), seed: StoreEngine.checksum(key))
        return StoreEngine.checksum(value.extracting(headerByteCount..<value.count), seed: front)
    }

    /// The record's count field, once version and checksum hold.
    @inline(__always)
    @discardableResult
    static func check(
        _ value: borrowing Span<UInt8>, key: borrowing Span<UInt8>, atLeast minimum: Int
    ) throws(LMDBError) -> Int {
        guard value.count >= minimum else {
            throw .corrupted("a record is \(value.count) bytes long, \(minimum) are needed")
        }
        guard value[0] == version else {
            throw .corrupted("a record has version \(value[0]); this program reads \(version)")
        }
        guard value.littleEndian(4, as: UInt32.self) == checksum(of: value, key: key) else {
            throw .corrupted("a record's checksum does not match its bytes")
        }
        return Int(value.littleEndian(2, as: UInt16.self))
    }
}

/// A mailbox's head on disk.
enum HeadRecord {
    static let byteCount = BaseRecord.headerByteCount + 28

    static func encode(_ head: Head, key: [UInt8]) -> [UInt8] {
        var record = BaseRecord.begin()
        record.reserveCapacity(byteCount)
        record.appendLittleEndian(head.max)
        record.appendLittleEndian(head.acknowledged)
        record.appendLittleEndian(head.floor)
        record.appendLittleEndian(head.bodyBytes)
        record.appendLittleEndian(head.newestTimestampMilliseconds)
        BaseRecord.seal(&record, key: key)
        return record
    }

    static func decode(
        _ value: borrowing Span<UInt8>, key: borrowing Span<UInt8>
    ) throws(LMDBError) -> Head {
        try BaseRecord.check(value, key: key, atLeast: byteCount)
        let start = BaseRecord.headerByteCount
        let head = Head(
            max: value.littleEndian(start), acknowledged: value.littleEndian(start + 4),
            floor: value.littleEndian(start + 8), bodyBytes: value.littleEndian(start + 12),
            newestTimestampMilliseconds: value.littleEndian(start + 20))
        guard head.floor <= head.acknowledged, head.acknowledged <= head.max else {
            throw .corrupted("a head says floor, acknowledged and max out of order")
        }
        return head
    }
}

/// A run: messages of one mailbox that follow each other, in one record of about `targetByteCount`.
///
/// Messages of a mailbox are read together and die together. One record for several of them saves
/// keys and checksums, and makes a page of a range read a few copies. A record stays small enough
/// to be held in a leaf.
enum RunRecord {
    static let targetByteCount = 1_000
    /// Version, count and checksum, then the sum of the body bytes.
    static let headerByteCount = BaseRecord.headerByteCount + 4

    /// A run's header.
    struct Header {
        var first: SequenceNumber
        var count: Int
        var bodyBytes: Int
        var last: SequenceNumber { first + SequenceNumber(count - 1) }
    }

    /// What a run's header says, once its checksum holds.
    ///
    /// - Parameter isAskedFor: its memory is on its way already.
    @inline(__always)
    static func header(
        _ value: borrowing Span<UInt8>, key: borrowing Span<UInt8>, first: SequenceNumber,
        isAskedFor: Bool = false
    ) throws(LMDBError) -> Header {
        if !isAskedFor { prefetch(value) }
        let count = try BaseRecord.check(value, key: key, atLeast: headerByteCount)
        guard count > 0, UInt64(first) + UInt64(count - 1) <= UInt64(SequenceNumber.max), first > 0
        else { throw .corrupted("a run of messages has an impossible length") }
        let bodyBytes = Int(value.littleEndian(BaseRecord.headerByteCount, as: UInt32.self))
        guard bodyBytes <= value.count else {
            throw .corrupted("a run counts more bytes than it has")
        }
        return Header(first: first, count: count, bodyBytes: bodyBytes)
    }

    /// Whether a stretch of a run holds as many messages as it should, one behind the other and
    /// nothing else. Whoever takes a stretch whole asks: what is handed out is walked by
    /// `MessageBatch`, which trusts its count.
    @inline(__always)
    static func isWhole(
        _ value: borrowing Span<UInt8>, _ stretch: Range<Int>, from first: UInt64, count: Int,
        bodyBytes: Int
    ) -> Bool {
        var offset = stretch.lowerBound
        var found = 0
        var foundBodyBytes = 0
        while offset < stretch.upperBound {
            guard let message = MessageEncoding.header(in: value, at: offset),
                UInt64(message.sequence) == first + UInt64(found)
            else { return false }
            offset += message.byteCount
            foundBodyBytes += message.bodyByteCount
            found += 1
        }
        return found == count && foundBodyBytes == bodyBytes
    }

    /// Begins a run; messages are appended behind, then `seal` completes it.
    static func begin() -> [UInt8] {
        var record = BaseRecord.begin()
        record.appendLittleEndian(UInt32(0))
        return record
    }

    static func seal(_ record: inout [UInt8], key: [UInt8], count: Int, bodyBytes: Int) {
        record[2] = UInt8(truncatingIfNeeded: count)
        record[3] = UInt8(truncatingIfNeeded: count >> 8)
        record.overwriteLittleEndian(UInt32(bodyBytes), at: BaseRecord.headerByteCount)
        BaseRecord.seal(&record, key: key)
    }
}

/// A block of what is remembered of a producer's messages: up to 64 client sequences.
enum ProducerBlock {
    static let capacity: UInt32 = 64
    /// Blocks behind the newest that a resend may still ask for.
    static let blocksKept = ProducerRecord.window / capacity

    /// The block of a client sequence.
    static func number(of clientSequence: ClientSequence) -> UInt32 {
        (clientSequence - 1) / capacity
    }
    /// Its place in the block.
    static func place(of clientSequence: ClientSequence) -> Int {
        Int((clientSequence - 1) % capacity)
    }

    static func encode(_ records: [ProducerRecord], key: [UInt8]) -> [UInt8] {
        var bytes = BaseRecord.begin(count: records.count)
        for record in records {
            bytes.appendLittleEndian(record.sequence)
            bytes.appendLittleEndian(record.digest)
        }
        BaseRecord.seal(&bytes, key: key)
        return bytes
    }

    static func decode(
        _ value: borrowing Span<UInt8>, key: borrowing Span<UInt8>
    ) throws(LMDBError) -> [ProducerRecord] {
        let count = try BaseRecord.check(value, key: key, atLeast: BaseRecord.headerByteCount)
        guard count > 0, count <= Int(capacity),
            value.count == BaseRecord.headerByteCount + 8 * count
        else { throw .corrupted("a block of producer records has an impossible length") }
        var records: [ProducerRecord] = []
        records.reserveCapacity(count)
        for place in 0..<count {
            let offset = BaseRecord.headerByteCount + 8 * place
            records.append(
                ProducerRecord(
                    sequence: value.littleEndian(offset), digest: value.littleEndian(offset + 4)))
        }
        return records
    }
}
