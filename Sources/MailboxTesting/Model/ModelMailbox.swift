package import Mailbox

/// One device's numbering in one mailbox of the model.
package struct ModelProducer: Sendable {
    /// A client sequence that can still be told: where it went, and its bytes.
    struct Entry: Sendable {
        let sequence: SequenceNumber
        let body: ArraySlice<UInt8>
    }

    /// How many of the newest client sequences can be told.
    static let windowCount = 1_024

    package private(set) var last: ClientSequence = 0
    private var window: [ClientSequence: Entry] = [:]

    /// The entry of a client sequence among the newest 1 024.
    func entry(_ clientSequence: ClientSequence) -> Entry? { window[clientSequence] }

    mutating func note(_ entry: Entry) {
        last += 1
        window[last] = entry
        if last > Self.windowCount { window[last - ClientSequence(Self.windowCount)] = nil }
    }
}

/// One mailbox of the model: its messages above the floor in an array, and the watermarks.
package struct ModelMailbox: Sendable {
    package private(set) var max: SequenceNumber = 0
    package private(set) var acknowledged: SequenceNumber = 0
    package private(set) var floor: SequenceNumber = 0
    /// Those above the floor: `messages[0].sequence == floor + 1`.
    package private(set) var messages: [Message] = []
    package private(set) var bodyBytes: UInt64 = 0
    package private(set) var newestTimestamp: Int64 = 0
    package private(set) var producers: [DeviceID: ModelProducer] = [:]

    package var head: Head {
        Head(
            max: max, acknowledged: acknowledged, floor: floor, bodyBytes: bodyBytes,
            newestTimestampMilliseconds: newestTimestamp)
    }

    /// A mailbox that gave out everything through `max` before, of which nothing is left.
    package init(startingAt max: SequenceNumber = 0) {
        self.max = max
        acknowledged = max
        floor = max
    }

    /// Stores a message or recognises it, by the producer's rules; a refusal changes nothing.
    package mutating func append(
        producer: Producer?, body: ArraySlice<UInt8>, now: Int64
    ) throws(StoreError) -> (sequence: SequenceNumber?, isDuplicate: Bool) {
        if let producer {
            let state = producers[producer.device] ?? ModelProducer()
            if producer.clientSequence <= state.last {
                guard let entry = state.entry(producer.clientSequence) else { return (nil, true) }
                guard entry.body == body else {
                    throw .producerConflict(clientSequence: producer.clientSequence)
                }
                return (entry.sequence, true)
            }
            guard producer.clientSequence == state.last + 1 else {
                throw .producerGap(expected: state.last + 1)
            }
        }
        guard max < SequenceNumber.max else { throw .sequenceExhausted() }
        max += 1
        newestTimestamp = Swift.max(newestTimestamp, now)
        messages.append(
            Message(
                sequence: max, timestampMilliseconds: newestTimestamp, producer: producer,
                body: body))
        bodyBytes += UInt64(body.count)
        if let producer {
            producers[producer.device, default: ModelProducer()]
                .note(ModelProducer.Entry(sequence: max, body: body))
        }
        return (max, false)
    }

    /// The messages above `after` and up to `through`. Precondition: `after` is from the floor.
    package func messages(after: SequenceNumber, through: SequenceNumber) -> ArraySlice<Message> {
        let end = Swift.min(through, max)
        guard after < end else { return [] }
        precondition(after >= floor)
        return messages[Int(after - floor)..<Int(end - floor)]
    }

    /// The watermark grows, or stays. Precondition: `sequence` is not above the newest.
    package mutating func acknowledge(through sequence: SequenceNumber) {
        precondition(sequence <= max)
        acknowledged = Swift.max(acknowledged, sequence)
    }

    /// The watermark after a crash, which may have lost acknowledgements; never below the floor.
    package mutating func forgetAcknowledgements(above sequence: SequenceNumber) {
        acknowledged = Swift.min(acknowledged, Swift.max(floor, sequence))
    }

    /// Removes everything up to `sequence`. Precondition: all of it is acknowledged.
    package mutating func trim(through sequence: SequenceNumber) {
        precondition(sequence <= acknowledged)
        guard sequence > floor else { return }
        let count = Int(sequence - floor)
        bodyBytes -= messages.prefix(count).reduce(0) { $0 + UInt64($1.body.count) }
        messages.removeFirst(count)
        floor = sequence
    }

    /// Everything up to here goes when the policy is applied now.
    package func floor(under policy: RetentionPolicy, now: Int64) -> SequenceNumber {
        let confirmed = messages.prefix(Int(acknowledged - floor))
        switch policy {
        case .unacknowledged:
            return acknowledged
        case .acknowledged(forMilliseconds: let duration):
            let young = confirmed.firstIndex { now - $0.timestampMilliseconds < duration }
            return floor + SequenceNumber(young ?? confirmed.count)
        case .newest(let count):
            return Swift.max(floor, Swift.min(acknowledged, max - Swift.min(max, count)))
        }
    }
}
