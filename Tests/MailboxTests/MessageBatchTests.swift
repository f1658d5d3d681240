import Mailbox
import MailboxTesting
import Testing

@Suite("A batch of messages")
struct MessageBatchTests {
    private static func messages(_ count: Int, from first: SequenceNumber = 1) -> [Message] {
        var random = SeededRandom(seed: UInt64(count))
        let phone = try? DeviceID("phone")
        return (0..<count).map { index in
            Message(
                sequence: first + SequenceNumber(index), timestampMilliseconds: Int64(index),
                producer: index % 2 == 0
                    ? phone.map {
                        Producer(device: $0, clientSequence: ClientSequence(index + 1))
                    } : nil,
                body: random.bytes(index % 7)[...])
        }
    }

    /// The messages in several stretches, each behind other bytes, as an engine hands them out.
    private static func stretches(_ messages: [Message], of size: Int) -> MessageBatch {
        var batch = MessageBatch()
        var rest = messages[...]
        while !rest.isEmpty {
            let part = rest.prefix(size)
            rest = rest.dropFirst(size)
            var bytes = [UInt8](repeating: 0xEE, count: size)
            for message in part {
                MessageEncoding.encode(
                    sequence: message.sequence,
                    timestampMilliseconds: message.timestampMilliseconds,
                    producer: message.producer, body: message.body, to: &bytes)
            }
            bytes += [0xEE]
            batch.append(
                storage: bytes, offset: size, count: part.count,
                bodyBytes: part.reduce(0) { $0 + $1.body.count })
        }
        return batch
    }

    @Test("Nothing in it")
    func empty() {
        for batch in [MessageBatch(), MessageBatch([])] {
            #expect(batch.isEmpty)
            #expect(batch.count == 0)
            #expect(batch.bodyBytes == 0)
            #expect(batch.first == nil)
            #expect(batch.lastSequence == nil)
            #expect(batch.startIndex == batch.endIndex)
            #expect(Array(batch) == [])
        }
    }

    @Test("Bodies are lent one by one, in order", arguments: [1, 2, 3, 50])
    func lentBodies(count: Int) {
        let messages = Self.messages(count)
        for batch in [MessageBatch(messages)]
            + [1, 2, 7, 100].map({ Self.stretches(messages, of: $0) })
        {
            var lent: [Message] = []
            batch.forEachBody { sequence, timestamp, bytes in
                lent.append(
                    Message(
                        sequence: sequence, timestampMilliseconds: timestamp,
                        body: bytes.indices.map { bytes[$0] }[...]))
            }
            let expected = messages.map {
                Message(
                    sequence: $0.sequence, timestampMilliseconds: $0.timestampMilliseconds,
                    body: $0.body)
            }
            #expect(lent == expected)
        }
        MessageBatch().forEachBody { _, _, _ in Issue.record("there is nothing to lend") }
    }

    @Test("It is what it was made of", arguments: [1, 2, 3, 50])
    func contents(count: Int) {
        let messages = Self.messages(count)
        for batch in [MessageBatch(messages)]
            + [1, 2, 7, 100].map({ Self.stretches(messages, of: $0) })
        {
            #expect(Array(batch) == messages)
            #expect(batch.count == count)
            #expect(batch.bodyBytes == messages.reduce(0) { $0 + $1.body.count })
            #expect(batch.lastSequence == SequenceNumber(count))
            #expect(batch.first == messages.first)
            #expect(batch.map(\.sequence) == messages.map(\.sequence))
        }
    }

    @Test("It is a collection: indices, distances, slices, a second pass", arguments: [1, 3, 8])
    func collection(size: Int) {
        let messages = Self.messages(20)
        let batch = Self.stretches(messages, of: size)
        #expect(Array(batch.indices).count == 20)
        for (number, index) in batch.indices.enumerated() {
            #expect(batch[index] == messages[number])
            #expect(batch.distance(from: batch.startIndex, to: index) == number)
            #expect(batch.index(batch.startIndex, offsetBy: number) == index)
            #expect(index < batch.endIndex)
        }
        #expect(batch.index(batch.startIndex, offsetBy: 20) == batch.endIndex)
        #expect(batch.index(batch.startIndex, offsetBy: 21, limitedBy: batch.endIndex) == nil)
        #expect(Array(batch.prefix(5)) == Array(messages.prefix(5)))
        #expect(Array(batch.dropFirst(15)) == Array(messages.dropFirst(15)))
        #expect(Array(batch) == Array(batch))
        #expect(batch.firstIndex { $0.sequence == 9 }.map { batch[$0] } == messages[8])
    }

    @Test("A message's body outlives the batch")
    func bodyOutlives() throws {
        var batch: MessageBatch? = Self.stretches(Self.messages(20), of: 3)
        let body = try #require(batch?.dropFirst(13).first?.body)
        batch = nil
        #expect(Array(body) == Array(Self.messages(20)[13].body))
    }

    @Test("The newest sequence of all is the last")
    func lastSequence() {
        let batch = MessageBatch(Self.messages(3, from: .max - 2))
        #expect(batch.lastSequence == .max)
    }

    @Test("Timestamps out of range are brought into it")
    func timestamps() {
        let batch = MessageBatch([
            Message(sequence: 1, timestampMilliseconds: -5, body: []),
            Message(sequence: 2, timestampMilliseconds: .max, body: []),
        ])
        #expect(
            batch.map(\.timestampMilliseconds) == [0, MessageEncoding.maximumTimestamp])
    }
}
