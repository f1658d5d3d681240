import Fuzzing

@testable import Mailbox
@testable import StoreEngine

/// Messages in their one form.
enum MessageSeeds {
    /// A message with this sequence; every second one has a producer.
    static func message(_ number: Int) -> [UInt8] {
        var bytes: [UInt8] = []
        MessageEncoding.encode(
            sequence: SequenceNumber(number), timestampMilliseconds: 1_750_000_000_000,
            producer: number % 2 == 0
                ? Producer(
                    device: DeviceID(trusted: Array("phone".utf8).span)!,
                    clientSequence: ClientSequence(number)) : nil,
            body: Array("body \(number)".utf8)[...], to: &bytes)
        return bytes
    }

    /// Encodes what a header was read from once more.
    static func encodeAgain(
        _ bytes: [UInt8], _ header: MessageEncoding.Header, _ offset: Int, to again: inout [UInt8]
    ) {
        let body = offset + header.bodyOffset
        MessageEncoding.encode(
            sequence: header.sequence, timestampMilliseconds: header.timestampMilliseconds,
            producer: MessageEncoding.producer(in: bytes.span, at: offset, header: header),
            body: bytes[body..<body + header.bodyByteCount], to: &again)
    }
}

extension FuzzTarget {
    /// Any bytes as messages, one behind the other. What decodes is encoded to the same bytes
    /// again, and a batch of them hands out the same, whichever way it is walked.
    static let messages = FuzzTarget("messages", byteCountMaximum: 2 << 10) {
        [
            MessageSeeds.message(1), MessageSeeds.message(2),
            MessageSeeds.message(1) + MessageSeeds.message(2) + MessageSeeds.message(3),
        ]
    } run: { bytes in
        var offset = 0
        var count = 0
        var bodyBytes = 0
        var again: [UInt8] = []
        while let header = MessageEncoding.header(in: bytes.span, at: offset) {
            MessageSeeds.encodeAgain(bytes, header, offset, to: &again)
            offset += header.byteCount
            count += 1
            bodyBytes += header.bodyByteCount
        }
        require(again == Array(bytes.prefix(offset)), "a message is encoded in another way")
        guard count > 0 else { return }
        var batch = MessageBatch()
        batch.append(storage: bytes, offset: 0, count: count, bodyBytes: bodyBytes)
        let forward = Array(batch)
        require(forward.count == count, "a batch lost a message")
        require(
            forward.reduce(0) { $0 + $1.body.count } == bodyBytes, "a batch has other bodies")
        require(batch.indices.map { batch[$0] } == forward, "a batch differs by the way it is read")
    }
}
