internal import Mailbox

/// An AppendStreamRequest's bytes, from and to the vocabulary.
enum AppendFrameCodec {
    // MARK: Encoding

    static func byteCount(_ frame: OutgoingAppendFrame) -> Int {
        var count = WireSize.field(varint: frame.number)
        for stretch in frame.stretches {
            for append in stretch { count &+= WireSize.field(count: byteCount(append)) }
        }
        return count
    }

    private static func byteCount(_ append: borrowing Append) -> Int {
        var count = WireSize.field(name: append.mailbox.sender.name)
        count &+= WireSize.field(name: append.mailbox.receiver.name)
        if let producer = append.producer {
            count &+= WireSize.field(count: WireSize.producer(producer))
        }
        return count &+ WireSize.field(bytes: append.body.count)
    }

    static func write(_ frame: OutgoingAppendFrame, _ writer: inout WireWriter) {
        writer.field(1, varint: frame.number)
        for stretch in frame.stretches {
            for append in stretch {
                writer.header(2, count: byteCount(append))
                writer.field(1, name: append.mailbox.sender.name)
                writer.field(2, name: append.mailbox.receiver.name)
                if let producer = append.producer { writer.field(3, producer: producer) }
                writer.field(4, bytes: append.body)
            }
        }
    }

    // MARK: Decoding

    /// The frame in these bytes. Bodies are slices of them.
    ///
    /// - Throws: `invalidArgument` when the bytes are no protobuf message. An append that is none
    ///   is a refusal of its own.
    static func decode(_ storage: [UInt8]) throws(StoreError) -> AppendFrame {
        let bytes = storage.span
        var frame = AppendFrame(frame: 0, appends: [])
        frame.appends.reserveCapacity(try fieldCount(2, bytes))
        var reader = WireReader(0..<bytes.count)
        var index = 0
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .varint): frame.frame = try reader.varint(bytes)
            case (2, .bytes):
                let fields = try AppendFields(try reader.message(bytes), bytes)
                do throws(StoreError) {
                    frame.appends.append(try fields.append(storage, bytes))
                } catch {
                    frame.refusals.append(FrameRefusal(index: index, error: error))
                }
                index += 1
            default: try reader.skip(tag, bytes)
            }
        }
        return frame
    }

    /// How often a field with a length comes in a message.
    static func fieldCount(
        _ number: Int, _ bytes: borrowing Span<UInt8>
    ) throws(StoreError) -> Int {
        var reader = WireReader(0..<bytes.count)
        var count = 0
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            if tag == WireTag(number, .bytes) { count += 1 }
            try reader.skip(tag, bytes)
        }
        return count
    }

    /// Where the parts of an append stand.
    private struct AppendFields {
        private var sender = 0..<0
        private var receiver = 0..<0
        private var body = 0..<0
        private var producer = ProducerFields()

        init(
            _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) {
            while !reader.isAtEnd {
                let tag = try reader.tag(bytes)
                switch (tag.number, tag.kind) {
                case (1, .bytes): sender = try reader.range(bytes)
                case (2, .bytes): receiver = try reader.range(bytes)
                case (3, .bytes): try producer.read(try reader.message(bytes), bytes)
                case (4, .bytes): body = try reader.range(bytes)
                default: try reader.skip(tag, bytes)
                }
            }
        }

        /// The append, checked.
        @inline(__always)
        func append(
            _ storage: [UInt8], _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) -> Append {
            let mailbox = MailboxID(
                sender: try WireName.address(sender, bytes, field: "append.sender"),
                receiver: try WireName.address(receiver, bytes, field: "append.receiver"))
            return Append(
                mailbox, producer: try producer.producer(bytes, field: "append.producer.device"),
                body: storage[body])
        }
    }
}

/// Where the parts of a producer stand.
struct ProducerFields {
    private var isThere = false
    private(set) var device = 0..<0
    private(set) var clientSequence: ClientSequence = 0

    /// Reads a producer, or one more piece of it.
    mutating func read(
        _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
    ) throws(StoreError) {
        isThere = true
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

    /// The producer, checked; nil when none came.
    @inline(__always)
    func producer(
        _ bytes: borrowing Span<UInt8>, field: StaticString
    ) throws(StoreError) -> Producer? {
        guard isThere else { return nil }
        do throws(StoreError) {
            return Producer(
                device: try DeviceID(utf8: bytes.extracting(device)),
                clientSequence: clientSequence)
        } catch {
            throw error.inField("\(field)")
        }
    }
}

/// Names within bytes from a wire.
enum WireName {
    /// - Throws: `invalidArgument` when it is no device.
    static func checkDevice(
        _ range: Range<Int>, _ bytes: borrowing Span<UInt8>
    ) throws(StoreError) {
        do throws(StoreError) {
            _ = try DeviceID(utf8: bytes.extracting(range))
        } catch {
            throw error.inField("message.producer.device")
        }
    }

    @inline(__always)
    static func address(
        _ range: Range<Int>, _ bytes: borrowing Span<UInt8>, field: StaticString
    ) throws(StoreError) -> Address {
        do throws(StoreError) {
            return try Address(utf8: bytes.extracting(range))
        } catch {
            throw error.inField("\(field)")
        }
    }
}
