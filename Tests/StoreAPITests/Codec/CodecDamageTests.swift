import GRPCCore
import GRPCProtobuf
import Mailbox
import MailboxTesting
import StoreAPI
import SwiftProtobuf
import Testing

@Suite("Bytes that are none of the codecs' own")
struct CodecDamageTests {
    private static func field(_ number: UInt8, _ bytes: [UInt8]) -> [UInt8] {
        precondition(bytes.count < 128)
        return [number << 3 | 2, UInt8(bytes.count)] + bytes
    }

    private func append(_ bytes: [UInt8]) throws -> AppendFrame {
        try AppendFrameDeserializer().deserialize(Self.field(2, bytes))
    }

    @Test("Unknown fields, in any order, are passed over, as the generated code does")
    func unknownFields() throws {
        for seed in 0..<300 as Range<UInt64> {
            var frames = RandomFrames(seed: seed)
            var pieces = [Self.field(1, Array("a".utf8)), Self.field(2, Array("b".utf8))]
            pieces.append(Self.field(3, frames.unknownField() + Self.field(1, Array("d".utf8))))
            pieces.append(Self.field(4, [1, 2, 3]))
            pieces.append(frames.unknownField())
            // A known field written in another way counts as unknown.
            pieces.append([1 << 3, 5])
            pieces.shuffle(using: &frames.random)
            let bytes = frames.unknownField() + Self.field(2, pieces.flatMap(\.self)) + [1 << 3, 7]
            let decoded = try AppendFrameDeserializer().deserialize(bytes)
            let wire = try Wire.AppendStreamRequest(serializedBytes: bytes)
            #expect(decoded.frame == 7 && wire.frame == 7)
            #expect(
                try decoded.appends == wire.appends.map { try Append(wire: $0) }, "seed \(seed)")
        }
    }

    @Test("Of a scalar that comes twice the last counts, and pieces of a producer are merged")
    func repeated() throws {
        let bytes =
            Self.field(1, Array("x".utf8)) + Self.field(1, Array("a".utf8))
            + Self.field(3, Self.field(1, Array("d".utf8))) + Self.field(2, Array("b".utf8))
            + Self.field(3, [2 << 3, 9]) + Self.field(4, [1]) + Self.field(4, [2])
        let frame = try append(bytes)
        let wire = try Wire.AppendStreamRequest(serializedBytes: Self.field(2, bytes))
        #expect(try frame.appends == [Append(wire: wire.appends[0])])
        #expect(frame.appends[0].producer?.clientSequence == 9)
        #expect(Array(frame.appends[0].body) == [2])
    }

    @Test("Of the cases of an outcome the last counts, and pieces of one are merged")
    func oneof() throws {
        let result = Self.field(1, [1 << 3, 5, 3 << 3, 1])
        let error = Self.field(2, [1 << 3, 9])
        for outcome in [
            result + Self.field(1, [2 << 3, 1]), result + error, error + result,
            error + Self.field(2, Self.field(2, Array("why".utf8))), result + error + result,
        ] {
            let bytes = Self.field(2, outcome)
            let wire = try Wire.AppendStreamResponse(serializedBytes: bytes)
            let decoded = try AppendFrameAnswerDeserializer().deserialize(bytes)
            #expect(
                try decoded.outcomes.map(describe)
                    == wire.outcomes.map { describe(try $0.decoded()) })
        }
    }

    @Test("An append that is none is a refusal of its own")
    func refusals() throws {
        let good = Self.field(1, Array("a".utf8)) + Self.field(2, Array("b".utf8))
        let bad: [[UInt8]] = [
            [], Self.field(1, Array("a".utf8)), Self.field(1, []) + Self.field(2, [0x62]),
            Self.field(1, [0xFF]) + Self.field(2, [0x62]), good + Self.field(3, []),
            good + Self.field(3, Self.field(1, [7])), Self.field(1, [0x1F]) + Self.field(2, [0x62]),
        ]
        for bytes in bad {
            let frame = try AppendFrameDeserializer().deserialize(
                Self.field(2, good) + Self.field(2, bytes) + Self.field(2, good))
            #expect(frame.appends.count == 2)
            #expect(frame.refusals.map(\.index) == [1])
            #expect(frame.refusals.map(\.error.code) == [.invalidArgument])
            let stored = AppendOutcome.success(
                AppendResult(sequence: 1, isDuplicate: false, durability: .commit))
            let merged = frame.merged([stored, stored])
            #expect(merged.map { (try? $0.get()) != nil } == [true, false, true])
        }
    }

    @Test("Malformed integers, lengths, tags and groups are refused")
    func malformed() {
        let bad: [[UInt8]] = [
            [1 << 3], [1 << 3] + [UInt8](repeating: 0xFF, count: 10) + [1], [0], [0, 0],
            [2 << 3 | 2, 5, 1], [2 << 3 | 2, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x7F],
            [9 << 3 | 3], [9 << 3 | 4], [9 << 3 | 3, 10 << 3 | 4], [9 << 3 | 6, 0], [9 << 3 | 7],
            [9 << 3 | 1, 0, 0], [9 << 3 | 5, 0], [0x80], [2 << 3 | 2, 1, 0x0A],
            [UInt8](repeating: 9 << 3 | 3, count: 200),
            [0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0x01, 0],
        ]
        for bytes in bad {
            #expect(throws: GoogleRPCStatus.self, "\(bytes)") {
                try AppendFrameDeserializer().deserialize(bytes)
            }
            #expect(throws: GoogleRPCStatus.self, "\(bytes)") {
                try FetchFrameDeserializer().deserialize(bytes)
            }
            #expect(throws: StoreError.self, "\(bytes)") {
                try AppendFrameAnswerDeserializer().deserialize(bytes)
            }
            #expect(throws: StoreError.self, "\(bytes)") {
                try FetchFrameAnswerDeserializer().deserialize(bytes)
            }
        }
    }

    @Test("Cut off anywhere or damaged, bytes are decoded or refused with a typed error")
    func damage() throws {
        for seed in 0..<25 as Range<UInt64> {
            var frames = RandomFrames(seed: seed)
            let appends = try frames.appends().prefix(4)
            let samples: [[UInt8]] = [
                try AppendFrameSerializer().serialize(
                    OutgoingAppendFrame(number: 5, stretches: [appends])),
                try FetchFrameSerializer().serialize(
                    OutgoingFetchFrame(number: 5, stretches: [[try frames.fetch()]])),
                try AppendFrameAnswerSerializer().serialize(
                    AppendFrameAnswer(frame: 5, outcomes: try frames.appendOutcomes())),
                try FetchFrameAnswerSerializer().serialize(
                    FetchFrameAnswer(frame: 5, outcomes: [.success(try frames.fetchResult())])),
            ]
            for sample in samples {
                for end in stride(from: 0, to: sample.count, by: max(1, sample.count / 500)) {
                    try expectTyped(Array(sample[..<end]))
                }
                for _ in 0..<100 where !sample.isEmpty {
                    var damaged = sample
                    let place = Int.random(in: 0..<min(200, sample.count), using: &frames.random)
                    damaged[place] = UInt8.random(in: 0...255, using: &frames.random)
                    try expectTyped(damaged)
                }
            }
        }
    }

    /// Decodes bytes as each of the four, and lets only typed errors pass.
    private func expectTyped(_ bytes: [UInt8]) throws {
        let decoders: [() throws -> Void] = [
            { _ = try AppendFrameDeserializer().deserialize(bytes) },
            { _ = try FetchFrameDeserializer().deserialize(bytes) },
            { _ = try AppendFrameAnswerDeserializer().deserialize(bytes) },
            {
                let answer = try FetchFrameAnswerDeserializer().deserialize(bytes)
                for case .success(let result) in answer.outcomes { _ = Array(result.messages) }
            },
        ]
        for decode in decoders {
            do {
                try decode()
            } catch is GoogleRPCStatus {
            } catch is StoreError {}
        }
    }
}
