import Fuzzing

@testable import Mailbox
@testable import StoreEngine

extension FuzzTarget {
    /// Any key and value of the data file, with the checksum made right when the first byte says
    /// so. What decodes is encoded to the same bytes again.
    static let baseRecords = FuzzTarget("base-records", byteCountMaximum: 2 << 10) {
        BaseRecordSeeds.inputs
    } run: { input in
        var reader = ByteReader(input)
        let kind = reader.byte()
        let key = reader.bytes(Int(reader.byte()))
        var value = reader.remaining()
        if kind & 0x80 != 0, value.count >= BaseRecord.headerByteCount {
            BaseRecord.seal(&value, key: key)
        }
        BaseRecordSeeds.check(kind & 3, key, value)
    }

    /// Any two stretches of bytes as mailbox keys. What decodes gives the same bytes, and keys are
    /// ordered as their bytes are.
    static let keys = FuzzTarget("keys", byteCountMaximum: 300) {
        [
            Array("\u{8}\u{3}bob\u{3}ann".utf8) + Array("\u{3}bob\u{4}anna".utf8),
            Array("\u{4}\u{1}b\u{1}a".utf8) + Array("\u{1}b\u{1}b".utf8),
            [68, 40] + [UInt8](repeating: 0x62, count: 40) + [26]
                + [UInt8](repeating: 0x61, count: 26) + [1, 0x62, 1, 0x61],
        ]
    } run: { input in
        var reader = ByteReader(input)
        let first = reader.bytes(Int(reader.byte()))
        let second = reader.remaining()
        if let name = try? InlineName(validating: second.span, what: "name") {
            require(
                InlineName(trusted: second.span) == name && Int(name.count) == second.count,
                "a name has two forms")
            require(String(validating: second, as: UTF8.self) != nil, "a name that is no UTF-8")
        }
        guard let one = BaseRecordSeeds.key(first), let other = BaseRecordSeeds.key(second) else {
            return
        }
        require((one == other) == (first == second), "keys are equal when their bytes are not")
        require(
            (one < other) == first.lexicographicallyPrecedes(second), "keys are out of order")
        require(
            one.hasSameReceiver(as: other)
                == (first.prefix(1 + Int(first[0])) == second.prefix(1 + Int(second[0]))),
            "another receiver")
    }
}

/// Records of the data file, and what must hold for each of them.
enum BaseRecordSeeds {
    static let inputs: [[UInt8]] = {
        let prefix = Array("\u{4}bert\u{4}anna".utf8)
        let head = HeadRecord.encode(
            Head(
                max: 9, acknowledged: 5, floor: 3, bodyBytes: 700,
                newestTimestampMilliseconds: 1_750_000_000_000), key: BaseKey.head(prefix))
        var run = RunRecord.begin()
        for number in 4...6 { run += MessageSeeds.message(number) }
        RunRecord.seal(&run, key: BaseKey.run(prefix, first: 4), count: 3, bodyBytes: 18)
        let device = DeviceID(trusted: Array("phone".utf8).span)!
        let block = BaseKey.producerBlock(prefix, device, block: 0)
        let records = ProducerBlock.encode(
            [ProducerRecord(sequence: 1, digest: 2), ProducerRecord(sequence: 4, digest: 5)],
            key: block)
        return [
            (UInt8(0), BaseKey.head(prefix), head), (1, BaseKey.run(prefix, first: 4), run),
            (2, block, records),
        ].flatMap { kind, key, value in
            [kind, kind | 0x80].map { [$0, UInt8(key.count)] + key + value }
        }
    }()

    /// The key that the bytes are, after a look at what must hold for it.
    static func key(_ bytes: [UInt8]) -> MailboxKey? {
        guard let key = MailboxKey(bytes: bytes.span) else { return nil }
        require(key.bytes == bytes, "a key gives other bytes")
        require(MailboxKey(key.mailbox) == key, "a key gives another mailbox")
        require(BaseKey.mailboxKeyCount(bytes.span) == bytes.count, "a key has another length")
        return key
    }

    static func check(_ kind: UInt8, _ key: [UInt8], _ value: [UInt8]) {
        if let count = BaseKey.mailboxKeyCount(key.span) {
            require(count >= 4 && count <= key.count, "a key of \(count) of \(key.count) bytes")
            let prefix = Array(key.prefix(count))
            if let first = BaseKey.firstSequence(key.span, prefix: prefix.span) {
                require(BaseKey.run(prefix, first: first) == key, "another run's key")
            }
        }
        switch kind {
        case 0:
            guard let head = try? HeadRecord.decode(value.span, key: key.span) else { return }
            require(
                head.floor <= head.acknowledged && head.acknowledged <= head.max, "no head")
            let again = HeadRecord.encode(head, key: key)
            require(again.dropFirst(8) == value.dropFirst(8).prefix(28), "another head")
        case 1:
            guard let run = try? RunRecord.header(value.span, key: key.span, first: 4) else {
                return
            }
            require(run.count > 0 && run.last >= run.first, "a run without messages")
        default:
            guard let records = try? ProducerBlock.decode(value.span, key: key.span) else {
                return
            }
            let again = ProducerBlock.encode(records, key: key)
            require(again.dropFirst(8) == value.dropFirst(8), "another block")
        }
    }
}
