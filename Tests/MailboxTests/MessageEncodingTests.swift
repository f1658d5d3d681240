import Mailbox
import MailboxTesting
import Testing

@Suite("The encoded form of a message")
struct MessageEncodingTests {
    private static func messages(_ random: inout SeededRandom, _ count: Int) throws -> [Message] {
        try (0..<count).map { index in
            let name = String(repeating: "d", count: Int.random(in: 1...64, using: &random))
            let producer = Producer(
                device: try DeviceID(name),
                clientSequence: UInt32.random(in: 1...UInt32.max, using: &random))
            return Message(
                sequence: SequenceNumber(index + 1),
                timestampMilliseconds: Int64.random(
                    in: 0...MessageEncoding.maximumTimestamp, using: &random),
                producer: random.chance(50) ? producer : nil,
                body: random.bytes(Int.random(in: 0...300, using: &random))[...])
        }
    }

    private static func encoded(_ message: Message) -> [UInt8] {
        var bytes: [UInt8] = []
        MessageEncoding.encode(
            sequence: message.sequence, timestampMilliseconds: message.timestampMilliseconds,
            producer: message.producer, body: message.body, to: &bytes)
        return bytes
    }

    @Test("What is encoded is decoded", arguments: 0..<20 as Range<UInt64>)
    func roundTrip(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for message in try Self.messages(&random, 30) {
            let padding = random.bytes(Int.random(in: 0...20, using: &random))
            let bytes = padding + Self.encoded(message) + random.bytes(3)
            let decoded = MessageEncoding.header(in: bytes.span, at: padding.count)
            let header = try #require(decoded)
            #expect(header.sequence == message.sequence)
            #expect(header.timestampMilliseconds == message.timestampMilliseconds)
            #expect(header.bodyByteCount == message.body.count)
            #expect(header.byteCount == bytes.count - padding.count - 3)
            #expect(
                header.byteCount
                    == MessageEncoding.byteCount(
                        producer: message.producer, bodyByteCount: message.body.count))
            #expect(header.byteCount <= message.body.count + MessageEncoding.maximumOverhead)
            let producer = MessageEncoding.producer(
                in: bytes.span, at: padding.count, header: header)
            #expect(producer == message.producer)
            let start = padding.count + header.bodyOffset
            #expect(bytes[start..<start + header.bodyByteCount] == message.body)
        }
    }

    @Test("The layout is what the format says")
    func layout() throws {
        let producer = Producer(device: try DeviceID("ab"), clientSequence: 0x0506_0708)
        let message = Message(
            sequence: 0x0102_0304, timestampMilliseconds: 0x0A0B_0C0D_0E0F, producer: producer,
            body: [0xFF, 0xFE])
        #expect(
            Self.encoded(message) == [
                4, 3, 2, 1, 2, 0, 0, 0, 0, 2, 0x0F, 0x0E, 0x0D, 0x0C, 0x0B, 0x0A, 8, 7, 6, 5, 0x61,
                0x62, 0xFF, 0xFE,
            ])
        let bare = Message(sequence: 1, timestampMilliseconds: 1, body: [])
        #expect(Self.encoded(bare) == [1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 0, 0])
    }

    @Test("Every shortening is refused")
    func truncated() throws {
        var random = SeededRandom(seed: 5)
        for message in try Self.messages(&random, 20) {
            let bytes = Self.encoded(message)
            for count in 0..<bytes.count {
                let short = Array(bytes.prefix(count))
                let header = MessageEncoding.header(in: short.span, at: 0)
                #expect(header == nil)
            }
        }
    }

    @Test(
        "Malformed bytes are refused or read within their bounds",
        arguments: 0..<50 as Range<UInt64>)
    func malformed(seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        for message in try Self.messages(&random, 10) {
            var bytes = Self.encoded(message)
            for _ in 0..<40 {
                let place = Int.random(in: 0..<bytes.count, using: &random)
                bytes[place] ^= UInt8(1) << UInt8.random(in: 0...7, using: &random)
                let offset = Int.random(in: -2...bytes.count + 2, using: &random)
                for offset in [0, offset] {
                    guard let header = MessageEncoding.header(in: bytes.span, at: offset) else {
                        continue
                    }
                    #expect(header.byteCount >= MessageEncoding.headerByteCount)
                    #expect(offset + header.byteCount <= bytes.count)
                    #expect(header.bodyOffset + header.bodyByteCount == header.byteCount)
                    _ = MessageEncoding.producer(in: bytes.span, at: offset, header: header)
                }
            }
        }
    }

    @Test("Random bytes are refused or read within their bounds")
    func noise() {
        var random = SeededRandom(seed: 9)
        for _ in 0..<5_000 {
            let bytes = random.bytes(Int.random(in: 0...80, using: &random))
            if let header = MessageEncoding.header(in: bytes.span, at: 0) {
                #expect(header.byteCount <= bytes.count)
                _ = MessageEncoding.producer(in: bytes.span, at: 0, header: header)
            }
        }
    }

    @Test("Integers are written and read in both orders")
    func integers() {
        var bytes: [UInt8] = [9]
        bytes.appendLittleEndian(UInt32(0x0102_0304))
        bytes.appendBigEndian(UInt32(0x0102_0304))
        bytes.appendLittleEndian(UInt64(0x0102_0304_0506_0708))
        bytes.appendBigEndian(UInt16(0x0102))
        bytes.append(copying: [UInt8]([7, 7]).span)
        #expect(
            bytes == [9, 4, 3, 2, 1, 1, 2, 3, 4, 8, 7, 6, 5, 4, 3, 2, 1, 1, 2, 7, 7])
        #expect(bytes.span.littleEndian(1, as: UInt32.self) == 0x0102_0304)
        #expect(bytes.span.bigEndian(5, as: UInt32.self) == 0x0102_0304)
        #expect(bytes.span.littleEndian(9, as: UInt64.self) == 0x0102_0304_0506_0708)
        #expect(bytes.span.bigEndian(17, as: UInt16.self) == 0x0102)
        bytes.overwriteLittleEndian(1, at: 0)
        #expect(Array(bytes.prefix(5)) == [1, 0, 0, 0, 1])
    }
}
