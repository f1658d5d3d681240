internal import Mailbox
internal import SwiftProtobuf

/// A FetchStreamResponse's bytes, from the store's own encoded messages.
enum FetchAnswerCodec {
    /// An answer with the sizes of its parts, which stand in front of them on the wire.
    struct Prepared {
        let answer: FetchFrameAnswer
        /// The size of each outcome's response or error.
        fileprivate var sizes: [Int] = []
        fileprivate var errors: [[UInt8]] = []
        private(set) var byteCount: Int

        init(_ answer: FetchFrameAnswer) throws {
            self.answer = answer
            byteCount = WireSize.field(varint: answer.frame) + (answer.continues ? 2 : 0)
            sizes.reserveCapacity(answer.outcomes.count)
            for outcome in answer.outcomes {
                let size: Int
                switch outcome {
                case .success(let result): size = FetchAnswerCodec.byteCount(result)
                case .failure(let error):
                    let bytes: [UInt8] = try Wire.ErrorDetail(error).serializedBytes()
                    errors.append(bytes)
                    size = bytes.count
                }
                sizes.append(size)
                byteCount += WireSize.field(count: WireSize.field(count: size))
            }
        }
    }

    static func write(_ prepared: Prepared, _ writer: inout WireWriter) {
        writer.field(1, varint: prepared.answer.frame)
        var errors = prepared.errors.makeIterator()
        for (outcome, size) in zip(prepared.answer.outcomes, prepared.sizes) {
            writer.header(2, count: WireSize.field(count: size))
            switch outcome {
            case .success(let result):
                writer.header(1, count: size)
                write(result, &writer)
            case .failure:
                writer.header(2, count: size)
                writer.copy(errors.next() ?? [])
            }
        }
        writer.field(3, varint: prepared.answer.continues ? 1 : 0)
    }

    // MARK: A response

    private static func byteCount(_ result: FetchResult) -> Int {
        var count = result.hasMore ? 2 : 0
        count += WireSize.field(count: byteCount(result.head))
        count += WireSize.field(fixed64: result.epoch.rawValue)
        for segment in result.messages.segments {
            let bytes = segment.storage.span
            var offset = segment.offset
            for _ in 0..<segment.count {
                let header = header(bytes, offset)
                count &+= WireSize.field(count: byteCount(header, bytes, offset))
                offset &+= header.byteCount
            }
        }
        return count
    }

    private static func write(_ result: FetchResult, _ writer: inout WireWriter) {
        for segment in result.messages.segments {
            segment.storage.withUnsafeBytes { memory in
                let bytes = segment.storage.span
                var offset = segment.offset
                for _ in 0..<segment.count {
                    let header = header(bytes, offset)
                    write(header, bytes, memory, offset, &writer)
                    offset &+= header.byteCount
                }
            }
        }
        writer.field(2, varint: result.hasMore ? 1 : 0)
        writer.header(3, count: byteCount(result.head))
        write(result.head, &writer)
        writer.field(4, fixed64: result.epoch.rawValue)
    }

    private static func byteCount(_ head: Head) -> Int {
        WireSize.field(varint: UInt64(head.max)) + WireSize.field(varint: UInt64(head.acknowledged))
            + WireSize.field(varint: UInt64(head.floor)) + WireSize.field(varint: head.bodyBytes)
            + WireSize.field(varint: UInt64(bitPattern: head.newestTimestampMilliseconds))
    }

    private static func write(_ head: Head, _ writer: inout WireWriter) {
        writer.field(1, varint: UInt64(head.max))
        writer.field(2, varint: UInt64(head.acknowledged))
        writer.field(3, varint: UInt64(head.floor))
        writer.field(4, varint: head.bodyBytes)
        writer.field(5, varint: UInt64(bitPattern: head.newestTimestampMilliseconds))
    }

    // MARK: A message

    /// A batch holds whole messages, by its invariant.
    @inline(__always)
    private static func header(
        _ bytes: borrowing Span<UInt8>, _ offset: Int
    ) -> MessageEncoding.Header {
        guard let header = MessageEncoding.header(in: bytes, at: offset) else {
            preconditionFailure("a message batch holds bytes that are no message")
        }
        return header
    }

    @inline(__always)
    private static func clientSequence(
        _ bytes: borrowing Span<UInt8>, _ offset: Int
    ) -> ClientSequence {
        bytes.littleEndian(offset &+ MessageEncoding.headerByteCount)
    }

    @inline(__always)
    private static func producerByteCount(
        _ header: MessageEncoding.Header, _ bytes: borrowing Span<UInt8>, _ offset: Int
    ) -> Int {
        WireSize.field(count: header.deviceByteCount)
            &+ WireSize.field(varint: UInt64(clientSequence(bytes, offset)))
    }

    @inline(__always)
    private static func byteCount(
        _ header: MessageEncoding.Header, _ bytes: borrowing Span<UInt8>, _ offset: Int
    ) -> Int {
        var count = WireSize.field(varint: UInt64(header.sequence))
        count &+= WireSize.field(varint: UInt64(bitPattern: header.timestampMilliseconds))
        if header.deviceByteCount > 0 {
            count &+= WireSize.field(count: producerByteCount(header, bytes, offset))
        }
        return count &+ WireSize.field(bytes: header.bodyByteCount)
    }

    @inline(__always)
    private static func write(
        _ header: MessageEncoding.Header, _ bytes: borrowing Span<UInt8>,
        _ memory: UnsafeRawBufferPointer, _ offset: Int, _ writer: inout WireWriter
    ) {
        writer.header(1, count: byteCount(header, bytes, offset))
        writer.field(1, varint: UInt64(header.sequence))
        writer.field(2, varint: UInt64(bitPattern: header.timestampMilliseconds))
        if header.deviceByteCount > 0 {
            writer.header(3, count: producerByteCount(header, bytes, offset))
            writer.header(1, count: header.deviceByteCount)
            let device = offset &+ MessageEncoding.headerByteCount &+ 4
            writer.copy(
                UnsafeRawBufferPointer(
                    rebasing: memory[device..<device &+ header.deviceByteCount]))
            writer.field(2, varint: UInt64(clientSequence(bytes, offset)))
        }
        guard header.bodyByteCount > 0 else { return }
        writer.header(4, count: header.bodyByteCount)
        let body = offset &+ header.bodyOffset
        writer.copy(UnsafeRawBufferPointer(rebasing: memory[body..<body &+ header.bodyByteCount]))
    }
}
