internal import Mailbox
internal import SwiftProtobuf

/// An AppendStreamResponse's bytes, from and to the vocabulary.
enum AppendAnswerCodec {
    // MARK: Encoding

    /// An answer with its refusals encoded: they are rare, and go through the generated code.
    struct Prepared {
        let answer: AppendFrameAnswer
        let errors: [[UInt8]]

        init(_ answer: AppendFrameAnswer) throws {
            self.answer = answer
            errors = try answer.outcomes.compactMap { outcome in
                guard case .failure(let error) = outcome else { return nil }
                return try Wire.ErrorDetail(error).serializedBytes()
            }
        }
    }

    static func byteCount(_ prepared: Prepared) -> Int {
        var count = WireSize.field(varint: prepared.answer.frame)
        var errors = prepared.errors.makeIterator()
        for outcome in prepared.answer.outcomes {
            count &+= WireSize.field(count: byteCount(outcome, errors: &errors))
        }
        return count
    }

    private static func byteCount(
        _ outcome: AppendOutcome, errors: inout IndexingIterator<[[UInt8]]>
    ) -> Int {
        switch outcome {
        case .success(let result): WireSize.field(count: byteCount(result))
        case .failure: WireSize.field(count: errors.next()?.count ?? 0)
        }
    }

    @inline(__always)
    private static func byteCount(_ result: AppendResult) -> Int {
        WireSize.field(varint: UInt64(result.sequence ?? 0)) &+ (result.isDuplicate ? 2 : 0) &+ 2
            &+ (result.timestampMilliseconds.map { 1 &+ WireSize.varint(UInt64(bitPattern: $0)) }
                ?? 0)
            &+ WireSize.field(fixed64: result.epoch?.rawValue ?? 0) &+ (result.wasResent ? 2 : 0)
    }

    static func write(_ prepared: Prepared, _ writer: inout WireWriter) {
        writer.field(1, varint: prepared.answer.frame)
        var errors = prepared.errors.makeIterator()
        for outcome in prepared.answer.outcomes {
            switch outcome {
            case .success(let result):
                let count = byteCount(result)
                writer.header(2, count: WireSize.field(count: count))
                writer.header(1, count: count)
                writer.field(1, varint: UInt64(result.sequence ?? 0))
                if result.isDuplicate { writer.field(2, varint: 1) }
                writer.field(3, varint: UInt64(Wire.Durability(result.durability).rawValue))
                if let timestamp = result.timestampMilliseconds {
                    // Written when it is 0, too: it is there.
                    writer.tag(4, .varint)
                    writer.varint(UInt64(bitPattern: timestamp))
                }
                writer.field(5, fixed64: result.epoch?.rawValue ?? 0)
                if result.wasResent { writer.field(6, varint: 1) }
            case .failure:
                let error = errors.next() ?? []
                writer.header(2, count: WireSize.field(count: error.count))
                writer.header(2, count: error.count)
                writer.copy(error)
            }
        }
    }

    // MARK: Decoding

    /// The answer in these bytes.
    ///
    /// - Throws: `invalidArgument` when they are no answer of the contract.
    static func decode(_ storage: [UInt8]) throws(StoreError) -> AppendFrameAnswer {
        let bytes = storage.span
        var answer = AppendFrameAnswer(frame: 0, outcomes: [])
        answer.outcomes.reserveCapacity(try AppendFrameCodec.fieldCount(2, bytes))
        var reader = WireReader(0..<bytes.count)
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .varint): answer.frame = try reader.varint(bytes)
            case (2, .bytes):
                answer.outcomes.append(try outcome(try reader.message(bytes), storage, bytes))
            default: try reader.skip(tag, bytes)
            }
        }
        return answer
    }

    private static func outcome(
        _ reader: consuming WireReader, _ storage: [UInt8], _ bytes: borrowing Span<UInt8>
    ) throws(StoreError) -> AppendOutcome {
        var result: ResultFields?
        var error: WireErrorPieces?
        while !reader.isAtEnd {
            let tag = try reader.tag(bytes)
            switch (tag.number, tag.kind) {
            case (1, .bytes):
                error = nil
                var fields = result ?? ResultFields()
                try fields.read(try reader.message(bytes), bytes)
                result = fields
            case (2, .bytes):
                result = nil
                var pieces = error ?? WireErrorPieces()
                pieces.ranges.append(try reader.range(bytes))
                error = pieces
            default: try reader.skip(tag, bytes)
            }
        }
        if let result { return .success(try result.result()) }
        if let error { return .failure(try error.decoded(storage)) }
        throw .missing("outcome")
    }

    private struct ResultFields {
        private var sequence: UInt32 = 0
        private var isDuplicate = false
        private var durability = 0
        private var timestamp: Int64?
        private var epoch: UInt64 = 0
        private var wasResent = false

        mutating func read(
            _ reader: consuming WireReader, _ bytes: borrowing Span<UInt8>
        ) throws(StoreError) {
            while !reader.isAtEnd {
                let tag = try reader.tag(bytes)
                switch (tag.number, tag.kind) {
                case (1, .varint): sequence = UInt32(truncatingIfNeeded: try reader.varint(bytes))
                case (2, .varint): isDuplicate = try reader.varint(bytes) != 0
                case (3, .varint):
                    durability = Int(Int32(truncatingIfNeeded: try reader.varint(bytes)))
                case (4, .varint): timestamp = Int64(bitPattern: try reader.varint(bytes))
                case (5, .fixed64): epoch = try reader.fixed64(bytes)
                case (6, .varint): wasResent = try reader.varint(bytes) != 0
                default: try reader.skip(tag, bytes)
                }
            }
        }

        @inline(__always)
        func result() throws(StoreError) -> AppendResult {
            guard sequence > 0 || isDuplicate else { throw .missing("result.sequence") }
            return AppendResult(
                sequence: sequence == 0 ? nil : sequence, isDuplicate: isDuplicate,
                durability: try Durability(
                    wire: Wire.Durability(rawValue: durability) ?? .unspecified,
                    field: "result.durability"),
                timestampMilliseconds: timestamp, epoch: Epoch(rawValue: epoch),
                wasResent: wasResent)
        }
    }
}

/// Where the pieces of a refusal stand: they are merged by being put together.
struct WireErrorPieces {
    var ranges: [Range<Int>] = []

    func decoded(_ storage: [UInt8]) throws(StoreError) -> StoreError {
        let bytes = ranges.reduce(into: [UInt8]()) { $0 += storage[$1] }
        do {
            return StoreError(wire: try Wire.ErrorDetail(serializedBytes: bytes))
        } catch {
            throw .invalidArgument("error: the message is malformed")
        }
    }
}
