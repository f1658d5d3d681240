internal import Mailbox

/// A FetchStreamRequest's bytes, from and to the vocabulary.
enum FetchFrameCodec {
    // MARK: Encoding

    static func byteCount(_ frame: OutgoingFetchFrame) -> Int {
        var count = WireSize.field(varint: frame.number)
        for stretch in frame.stretches {
            for fetch in stretch { count &+= WireSize.field(count: Sizes(fetch).total) }
        }
        return count
    }

    private struct Sizes {
        let mailbox: Int
        let cursor: Int
        let limit: Int

        init(_ fetch: borrowing FetchCall) {
            mailbox =
                WireSize.field(name: fetch.mailbox.sender.name)
                + WireSize.field(name: fetch.mailbox.receiver.name)
            cursor =
                WireSize.field(varint: UInt64(fetch.cursor.sequence))
                + WireSize.field(fixed64: fetch.cursor.epoch?.rawValue ?? 0)
            let (messages, bytes) = Sizes.limit(fetch.limit)
            limit = WireSize.field(varint: messages) + WireSize.field(varint: bytes)
        }

        var total: Int {
            WireSize.field(count: mailbox) + WireSize.field(count: cursor)
                + WireSize.field(bytes: limit)
        }

        /// The limit as it goes over the wire: the default is left out.
        static func limit(_ limit: PageLimit) -> (messages: UInt64, bytes: UInt64) {
            if limit == .standard { return (0, 0) }
            return (UInt64(UInt32(clamping: limit.messages)), UInt64(clamping: limit.bytes))
        }
    }

    static func write(_ frame: OutgoingFetchFrame, _ writer: inout WireWriter) {
        writer.field(1, varint: frame.number)
        for stretch in frame.stretches {
            for fetch in stretch { write(fetch, &writer) }
        }
    }

    private static func write(_ fetch: borrowing FetchCall, _ writer: inout WireWriter) {
        let sizes = Sizes(fetch)
        writer.header(2, count: sizes.total)
        writer.header(1, count: sizes.mailbox)
        writer.field(1, name: fetch.mailbox.sender.name)
        writer.field(2, name: fetch.mailbox.receiver.name)
        writer.header(2, count: sizes.cursor)
        writer.field(1, varint: UInt64(fetch.cursor.sequence))
        writer.field(2, fixed64: fetch.cursor.epoch?.rawValue ?? 0)
        guard sizes.limit > 0 else { return }
        let (messages, bytes) = Sizes.limit(fetch.limit)
        writer.header(3, count: sizes.limit)
        writer.field(1, varint: messages)
        writer.field(2, varint: bytes)
    }

    // MARK: Decoding

    /// The frame in these bytes.
    ///
    /// - Throws: `invalidArgument` when the bytes are no protobuf message. A fetch that is none is
    ///   a refusal of its own.
    static func decode(_ storage: [UInt8]) throws(StoreError) -> FetchFrame {
        let bytes = storage.span
        var frame = FetchFrame(frame: 0, fetches: [])
        frame.fetches.reserveCapacity(try AppendFrameCodec.fieldCount(2, bytes))
        var reader = WireReader(0..<bytes.count)
        var index = 0
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .varint): frame.frame = try reader.varint(bytes)
            case (2, .bytes):
                let fields = try FetchFields(try reader.message(bytes), bytes)
                do throws(StoreError) {
                    frame.fetches.append(try fields.fetch(bytes))
                } catch {
                    frame.refusals.append(FrameRefusal(index: index, error: error))
                }
                index += 1
            default: try reader.skip(tag, bytes)
            }
        }
        return frame
    }

    /// Where the parts of a fetch stand, and what its numbers are.
    private struct FetchFields {
        private var hasMailbox = false
        private var sender = 0..<0
        private var receiver = 0..<0
        private var cursor: (sequence: SequenceNumber, epoch: UInt64)?
        private var messages: UInt32 = 0
        private var pageBytes: UInt64 = 0

        init(
            _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) {
            while !reader.isAtEnd {
                let tag = try reader.tag(bytes)
                switch (tag.number, tag.kind) {
                case (1, .bytes): try readMailbox(try reader.message(bytes), bytes)
                case (2, .bytes): try readCursor(try reader.message(bytes), bytes)
                case (3, .bytes): try readLimit(try reader.message(bytes), bytes)
                default: try reader.skip(tag, bytes)
                }
            }
        }

        private mutating func readMailbox(
            _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) {
            hasMailbox = true
            while !reader.isAtEnd {
                let tag = try reader.tag(bytes)
                switch (tag.number, tag.kind) {
                case (1, .bytes): sender = try reader.range(bytes)
                case (2, .bytes): receiver = try reader.range(bytes)
                default: try reader.skip(tag, bytes)
                }
            }
        }

        private mutating func readCursor(
            _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) {
            var read = cursor ?? (0, 0)
            while !reader.isAtEnd {
                let tag = try reader.tag(bytes)
                switch (tag.number, tag.kind) {
                case (1, .varint):
                    read.sequence = UInt32(truncatingIfNeeded: try reader.varint(bytes))
                case (2, .fixed64): read.epoch = try reader.fixed64(bytes)
                default: try reader.skip(tag, bytes)
                }
            }
            cursor = read
        }

        private mutating func readLimit(
            _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) {
            while !reader.isAtEnd {
                let tag = try reader.tag(bytes)
                switch (tag.number, tag.kind) {
                case (1, .varint): messages = UInt32(truncatingIfNeeded: try reader.varint(bytes))
                case (2, .varint): pageBytes = try reader.varint(bytes)
                default: try reader.skip(tag, bytes)
                }
            }
        }

        /// The fetch, checked.
        @inline(__always)
        func fetch(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> FetchCall {
            guard hasMailbox else { throw .missing("mailbox") }
            let mailbox = MailboxID(
                sender: try WireName.address(sender, bytes, field: "mailbox.sender"),
                receiver: try WireName.address(receiver, bytes, field: "mailbox.receiver"))
            guard let cursor else { throw .missing("cursor") }
            var limit = PageLimit.standard
            if messages > 0 { limit.messages = Int(messages) }
            if pageBytes > 0 { limit.bytes = Int(clamping: pageBytes) }
            return FetchCall(
                mailbox, cursor: Cursor(cursor.sequence, epoch: Epoch(rawValue: cursor.epoch)),
                limit: limit)
        }
    }
}
