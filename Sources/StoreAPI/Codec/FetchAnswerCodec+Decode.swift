internal import Mailbox

extension FetchAnswerCodec {
    /// The answer in these bytes. The messages of all its outcomes share one buffer, in the store's
    /// own encoding.
    ///
    /// - Throws: `invalidArgument` when they are no answer of the contract.
    static func decode(_ storage: [UInt8]) throws(StoreError) -> FetchFrameAnswer {
        guard storage.count <= Int(UInt32.max) else {
            throw .invalidArgument("the answer is larger than 4 GiB")
        }
        let bytes = storage.span
        var parsed = ParsedAnswer()
        try parsed.read(bytes)
        let buffer = parsed.encodedMessages(storage)
        var answer = FetchFrameAnswer(
            frame: parsed.frame, outcomes: [], continues: parsed.continues)
        answer.outcomes.reserveCapacity(parsed.outcomes.count)
        for outcome in parsed.outcomes {
            switch outcome {
            case .response(let response):
                answer.outcomes.append(.success(try response.result(buffer)))
            case .error(let pieces):
                answer.outcomes.append(.failure(try pieces.decoded(storage)))
            }
        }
        return answer
    }
}

/// An answer as it stands in its bytes.
private struct ParsedAnswer {
    enum Outcome {
        case response(ParsedResponse)
        case error(WireErrorPieces)
    }

    private(set) var frame: UInt64 = 0
    private(set) var continues = false
    private(set) var outcomes: [Outcome] = []
    private var messages: [ParsedMessage] = []
    /// The size of all messages in the store's encoding.
    private var encodedBytes = 0

    mutating func read(_ bytes: borrowing Span<UInt8>) throws(StoreError) {
        // Enough for messages of a hundred bytes.
        messages.reserveCapacity(bytes.count / 128)
        var reader = WireReader(0..<bytes.count)
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .varint): frame = try reader.varint(bytes)
            case (2, .bytes): try readOutcome(try reader.message(bytes), bytes)
            case (3, .varint): continues = try reader.varint(bytes) != 0
            default: try reader.skip(tag, bytes)
            }
        }
    }

    private mutating func readOutcome(
        _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
    ) throws(StoreError) {
        var response: ParsedResponse?
        var error: WireErrorPieces?
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .bytes):
                error = nil
                var parts = response ?? ParsedResponse(offset: encodedBytes)
                try readResponse(try reader.message(bytes), bytes, &parts)
                response = parts
            case (2, .bytes):
                response = nil
                var pieces = error ?? WireErrorPieces()
                pieces.ranges.append(try reader.range(bytes))
                error = pieces
            default: try reader.skip(tag, bytes)
            }
        }
        if let response {
            outcomes.append(.response(response))
        } else if let error {
            outcomes.append(.error(error))
        } else {
            throw .missing("outcome")
        }
    }

    private mutating func readResponse(
        _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>,
        _ response: inout ParsedResponse
    ) throws(StoreError) {
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .bytes):
                let message = try ParsedMessage(try reader.message(bytes), bytes)
                try response.add(message)
                encodedBytes &+= message.byteCount
                messages.append(message)
            case (2, .varint): response.hasMore = try reader.varint(bytes) != 0
            case (3, .bytes): try response.readHead(try reader.message(bytes), bytes)
            case (4, .fixed64): response.epoch = try reader.fixed64(bytes)
            default: try reader.skip(tag, bytes)
            }
        }
    }

    /// All messages in the store's encoding, one behind the other.
    func encodedMessages(_ storage: [UInt8]) -> [UInt8] {
        storage.withUnsafeBytes { source in
            [UInt8](unsafeUninitializedCapacity: encodedBytes) { target, count in
                let memory = UnsafeMutableRawBufferPointer(target)
                var writer = WireWriter(
                    UnsafeMutableRawBufferPointer(rebasing: memory[..<encodedBytes]))
                for message in messages { message.encode(source, &writer) }
                precondition(writer.position == encodedBytes)
                count = encodedBytes
            }
        }
    }
}

/// A response as it stands in its bytes.
private struct ParsedResponse {
    /// Where its messages begin among all that are encoded.
    let offset: Int
    private var count = 0
    private var bodyBytes = 0
    private var lastSequence: SequenceNumber = 0
    var hasMore = false
    var epoch: UInt64 = 0
    private var head: Head?

    init(offset: Int) { self.offset = offset }

    @inline(__always)
    mutating func add(_ message: ParsedMessage) throws(StoreError) {
        guard count == 0 || lastSequence < .max && message.sequence == lastSequence &+ 1 else {
            throw .invalidArgument("messages: the sequences have holes")
        }
        lastSequence = message.sequence
        count &+= 1
        bodyBytes &+= Int(message.bodyCount)
    }

    mutating func readHead(
        _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
    ) throws(StoreError) {
        var read = head ?? .empty
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            guard tag.kind == .varint, (1...5).contains(tag.number) else {
                try reader.skip(tag, bytes)
                continue
            }
            let value = try reader.varint(bytes)
            switch tag.number {
            case 1: read.max = UInt32(truncatingIfNeeded: value)
            case 2: read.acknowledged = UInt32(truncatingIfNeeded: value)
            case 3: read.floor = UInt32(truncatingIfNeeded: value)
            case 4: read.bodyBytes = value
            default: read.newestTimestampMilliseconds = Int64(bitPattern: value)
            }
        }
        head = read
    }

    /// The result, checked.
    func result(_ buffer: [UInt8]) throws(StoreError) -> FetchResult {
        guard let head else { throw .missing("head") }
        guard head.floor <= head.acknowledged, head.acknowledged <= head.max else {
            throw .invalidArgument("head: not floor ≤ acknowledged ≤ max")
        }
        var batch = MessageBatch()
        if count > 0 {
            batch.append(storage: buffer, offset: offset, count: count, bodyBytes: bodyBytes)
        }
        return FetchResult(
            messages: batch, hasMore: hasMore, head: head, epoch: try Epoch(wire: epoch))
    }
}

/// A message as it stands in its bytes. An answer has up to millions of these: they are kept small,
/// and places are counted from the answer's first byte.
private struct ParsedMessage {
    private(set) var sequence: SequenceNumber = 0
    private var clientSequence: ClientSequence = 0
    private var timestamp: UInt64 = 0
    private var deviceStart: UInt32 = 0
    private var deviceCount: UInt32 = 0
    private var bodyStart: UInt32 = 0
    private(set) var bodyCount: UInt32 = 0

    /// Precondition: the answer has less than 4 GiB.
    @inline(__always)
    init(_ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>) throws(StoreError) {
        var hasProducer = false
        var device = 0..<0
        var body = 0..<0
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .varint): sequence = UInt32(truncatingIfNeeded: try reader.varint(bytes))
            case (2, .varint): timestamp = try reader.varint(bytes)
            case (3, .bytes):
                hasProducer = true
                try Self.readProducer(
                    try reader.message(bytes), bytes, &device, &clientSequence)
            case (4, .bytes): body = try reader.range(bytes)
            default: try reader.skip(tag, bytes)
            }
        }
        guard sequence > 0 else { throw .missing("message.sequence") }
        guard timestamp <= UInt64(MessageEncoding.maximumTimestamp) else {
            throw .invalidArgument("message.timestamp_milliseconds is out of range")
        }
        if hasProducer { try WireName.checkDevice(device, bytes) }
        deviceStart = UInt32(truncatingIfNeeded: device.lowerBound)
        deviceCount = UInt32(truncatingIfNeeded: device.count)
        bodyStart = UInt32(truncatingIfNeeded: body.lowerBound)
        bodyCount = UInt32(truncatingIfNeeded: body.count)
    }

    /// Reads a producer, or one more piece of it.
    private static func readProducer(
        _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>,
        _ device: inout Range<Int>, _ clientSequence: inout ClientSequence
    ) throws(StoreError) {
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .bytes): device = try reader.range(bytes)
            case (2, .varint):
                clientSequence = ClientSequence(truncatingIfNeeded: try reader.varint(bytes))
            default: try reader.skip(tag, bytes)
            }
        }
    }

    /// The size in the store's encoding.
    @inline(__always)
    var byteCount: Int {
        MessageEncoding.headerByteCount &+ (deviceCount == 0 ? 0 : 4 &+ Int(deviceCount))
            &+ Int(bodyCount)
    }

    /// Writes the message in the store's encoding; see `MessageEncoding`.
    @inline(__always)
    func encode(_ source: UnsafeRawBufferPointer, _ writer: inout WireWriter) {
        writer.littleEndian(sequence)
        writer.littleEndian(bodyCount)
        writer.littleEndian(timestamp &<< 16 | UInt64(deviceCount) &<< 8)
        if deviceCount > 0 {
            writer.littleEndian(clientSequence)
            copy(deviceStart, deviceCount, source, &writer)
        }
        copy(bodyStart, bodyCount, source, &writer)
    }

    @inline(__always)
    private func copy(
        _ start: UInt32, _ count: UInt32, _ source: UnsafeRawBufferPointer,
        _ writer: inout WireWriter
    ) {
        writer.copy(
            UnsafeRawBufferPointer(rebasing: source[Int(start)..<Int(start) &+ Int(count)]))
    }
}
