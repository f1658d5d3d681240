/// Messages of one mailbox in order of sequence, decoded as they are looked at.
///
/// The batch shares the store's own encoded buffers: handing out a million messages copies none of
/// them. Each message's body is a slice that keeps its buffer alive, so keep what you need as
/// `Array(message.body)` when you keep little of much. A `for` loop over the batch decodes
/// forward; `Array(batch)` gives random access; `forEachBody(_:)` lends each body without making
/// a message of it.
public struct MessageBatch: Sendable {
    /// A stretch of encoded messages, one behind the other, in one shared buffer.
    @usableFromInline
    package struct Segment: Sendable {
        @usableFromInline package let storage: [UInt8]
        @usableFromInline package let offset: Int
        @usableFromInline package let count: Int

        package init(storage: [UInt8], offset: Int, count: Int) {
            self.storage = storage
            self.offset = offset
            self.count = count
        }
    }

    @usableFromInline package private(set) var segments: [Segment]
    /// The number of messages.
    public private(set) var count: Int
    /// The sum of their body bytes.
    public private(set) var bodyBytes: Int

    /// No messages.
    public init() {
        segments = []
        count = 0
        bodyBytes = 0
    }

    /// Messages that came from elsewhere than an engine; they are encoded once.
    public init(_ messages: [Message]) {
        self.init()
        var bytes: [UInt8] = []
        for message in messages {
            MessageEncoding.encode(
                sequence: message.sequence,
                timestampMilliseconds: Swift.min(
                    Swift.max(0, message.timestampMilliseconds), MessageEncoding.maximumTimestamp),
                producer: message.producer, body: message.body, to: &bytes)
            bodyBytes += message.body.count
        }
        count = messages.count
        if count > 0 { segments = [Segment(storage: bytes, offset: 0, count: count)] }
    }

    /// Reserves room for this many stretches.
    package mutating func reserveSegments(_ count: Int) {
        segments.reserveCapacity(count)
    }

    /// Adds a stretch of encoded messages. Precondition: its bytes decode to exactly `count`
    /// messages.
    @inline(__always)
    package mutating func append(
        storage: [UInt8], offset: Int, count: Int, bodyBytes: Int
    ) {
        segments.append(Segment(storage: storage, offset: offset, count: count))
        self.count += count
        self.bodyBytes += bodyBytes
    }
}

extension MessageBatch: Swift.Sequence {
    /// Decodes the messages one after the other, each once.
    public struct Iterator: IteratorProtocol {
        @usableFromInline let segments: [Segment]
        @usableFromInline var segment = 0
        @usableFromInline var ordinalInSegment = 0
        @usableFromInline var offset: Int

        @inlinable
        init(_ batch: MessageBatch) {
            segments = batch.segments
            offset = batch.segments.first?.offset ?? 0
        }

        /// The next message, nil behind the last.
        @inlinable
        public mutating func next() -> Message? {
            guard segment < segments.count else { return nil }
            let (message, byteCount) = MessageBatch.decode(segments[segment], offset)
            ordinalInSegment += 1
            offset += byteCount
            if ordinalInSegment == segments[segment].count {
                segment += 1
                ordinalInSegment = 0
                if segment < segments.count { offset = segments[segment].offset }
            }
            return message
        }
    }

    /// An iterator from the first message on.
    @inlinable
    public func makeIterator() -> Iterator { Iterator(self) }
}

extension MessageBatch: Collection {
    /// A place in the batch; only its own batch gives it a meaning.
    public struct Index: Comparable, Sendable {
        fileprivate var ordinal: Int
        fileprivate var segment: Int
        fileprivate var ordinalInSegment: Int
        fileprivate var offset: Int

        /// By position.
        public static func < (a: Index, b: Index) -> Bool { a.ordinal < b.ordinal }
        /// By position.
        public static func == (a: Index, b: Index) -> Bool { a.ordinal == b.ordinal }
    }

    /// The first message's place.
    public var startIndex: Index {
        Index(ordinal: 0, segment: 0, ordinalInSegment: 0, offset: segments.first?.offset ?? 0)
    }

    /// Behind the last message.
    public var endIndex: Index {
        Index(ordinal: count, segment: segments.count, ordinalInSegment: 0, offset: 0)
    }

    /// The place behind `index`.
    public func index(after index: Index) -> Index {
        let segment = segments[index.segment]
        let header = Self.header(segment, index.offset)
        var next = index
        next.ordinal += 1
        next.ordinalInSegment += 1
        next.offset += header.byteCount
        if next.ordinalInSegment == segment.count {
            next.segment += 1
            next.ordinalInSegment = 0
            next.offset = next.segment < segments.count ? segments[next.segment].offset : 0
        }
        return next
    }

    /// The message at a place.
    public subscript(index: Index) -> Message {
        Self.decode(segments[index.segment], index.offset).0
    }

    @inlinable
    @inline(__always)
    static func header(_ segment: Segment, _ offset: Int) -> MessageEncoding.Header {
        guard let header = MessageEncoding.header(in: segment.storage.span, at: offset) else {
            preconditionFailure("a message batch holds bytes that are no message")
        }
        return header
    }

    /// The message at an offset, and its encoded length.
    @inlinable
    @inline(__always)
    static func decode(_ segment: Segment, _ offset: Int) -> (Message, Int) {
        let header = header(segment, offset)
        let start = offset + header.bodyOffset
        let message = Message(
            sequence: header.sequence,
            timestampMilliseconds: header.timestampMilliseconds,
            producer: MessageEncoding.producer(
                in: segment.storage.span, at: offset, header: header),
            body: segment.storage[start..<start + header.bodyByteCount])
        return (message, header.byteCount)
    }
}

extension MessageBatch {
    /// Calls `body` with each message's sequence, timestamp in milliseconds since 1970, and bytes,
    /// in order.
    ///
    /// The bytes are lent for the call: nothing is counted, copied or allocated. Use it to hand
    /// bodies on, to a socket or a file, at the speed of memory.
    @inlinable
    public func forEachBody<Failure: Error>(
        _ body: (SequenceNumber, Int64, borrowing Span<UInt8>) throws(Failure) -> Void
    ) throws(Failure) {
        for segment in segments {
            let bytes = segment.storage.span
            var offset = segment.offset
            for _ in 0..<segment.count {
                guard let header = MessageEncoding.header(in: bytes, at: offset) else {
                    preconditionFailure("a message batch holds bytes that are no message")
                }
                // Within the segment: the header says so, and was held against its length.
                let end = offset &+ header.byteCount
                let range = unsafe Range(
                    uncheckedBounds: (lower: offset &+ header.bodyOffset, upper: end))
                try body(
                    header.sequence, header.timestampMilliseconds,
                    unsafe bytes.extracting(unchecked: range))
                offset = end
            }
        }
    }

    /// The newest message's sequence, nil when the batch is empty: the cursor to ask with next.
    public var lastSequence: SequenceNumber? {
        guard let first else { return nil }
        // Contiguous by contract, so the last follows from the first.
        return first.sequence + SequenceNumber(count - 1)
    }
}
