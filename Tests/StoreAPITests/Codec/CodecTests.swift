import GRPCCore
import Mailbox
import MailboxTesting
import StoreAPI
import SwiftProtobuf
import Testing

@Suite("The codecs of the hot streams")
struct CodecTests {
    static let seeds: Range<UInt64> = 0..<120

    @Test("A frame of appends is what the generated code reads, and the other way round")
    func appendFrames() throws {
        for seed in Self.seeds {
            var frames = RandomFrames(seed: seed)
            let appends = try frames.appends()
            let split = Int.random(in: 0...appends.count, using: &frames.random)
            let frame = OutgoingAppendFrame(
                number: frames.number(), stretches: [appends[..<split], appends[split...]])
            let bytes: [UInt8] = try AppendFrameSerializer().serialize(frame)
            let wire = try Wire.AppendStreamRequest(serializedBytes: bytes)
            #expect(wire.frame == frame.number, "seed \(seed)")
            #expect(try wire.appends.map { try Append(wire: $0) } == appends, "seed \(seed)")
            let again: [UInt8] = try wire.serializedBytes()
            for bytes in [bytes, again] {
                let decoded = try AppendFrameDeserializer().deserialize(bytes)
                #expect(decoded.frame == frame.number && decoded.appends == appends, "seed \(seed)")
                #expect(decoded.refusals.isEmpty)
            }
        }
    }

    @Test("An answer to appends is what the generated code reads, and the other way round")
    func appendAnswers() throws {
        for seed in Self.seeds {
            var frames = RandomFrames(seed: seed)
            let answer = AppendFrameAnswer(
                frame: frames.number(), outcomes: try frames.appendOutcomes())
            let bytes: [UInt8] = try AppendFrameAnswerSerializer().serialize(answer)
            let wire = try Wire.AppendStreamResponse(serializedBytes: bytes)
            let again: [UInt8] = try wire.serializedBytes()
            let decoded = try [bytes, again].map {
                try AppendFrameAnswerDeserializer().deserialize($0).outcomes
            }
            for outcomes in decoded + [try wire.outcomes.map { try $0.decoded() }] {
                #expect(outcomes.map(describe) == answer.outcomes.map(describe), "seed \(seed)")
            }
            #expect(wire.frame == answer.frame)
        }
    }

    @Test("A frame of fetches is what the generated code reads, and the other way round")
    func fetchFrames() throws {
        for seed in Self.seeds {
            var frames = RandomFrames(seed: seed)
            let fetches = try (0..<5).map { _ in try frames.fetch() }
            let frame = OutgoingFetchFrame(number: frames.number(), stretches: [fetches[...]])
            let bytes: [UInt8] = try FetchFrameSerializer().serialize(frame)
            let wire = try Wire.FetchStreamRequest(serializedBytes: bytes)
            #expect(wire.frame == frame.number, "seed \(seed)")
            #expect(try wire.fetches.map { try FetchCall(wire: $0) } == fetches, "seed \(seed)")
            let again: [UInt8] = try wire.serializedBytes()
            for bytes in [bytes, again] {
                let decoded = try FetchFrameDeserializer().deserialize(bytes)
                #expect(decoded.frame == frame.number && decoded.fetches == fetches, "seed \(seed)")
            }
        }
    }

    @Test("An answer to fetches is what the generated code reads, and the other way round")
    func fetchAnswers() throws {
        for seed in Self.seeds {
            var frames = RandomFrames(seed: seed)
            let answer = FetchFrameAnswer(
                frame: frames.number(), outcomes: try frames.fetchOutcomes(),
                continues: frames.random.chance(50))
            let bytes: [UInt8] = try FetchFrameAnswerSerializer().serialize(answer)
            let wire = try Wire.FetchStreamResponse(serializedBytes: bytes)
            #expect(wire.frame == answer.frame && wire.continues == answer.continues)
            let again: [UInt8] = try wire.serializedBytes()
            let decoded = try [bytes, again].map {
                try FetchFrameAnswerDeserializer().deserialize($0)
            }
            #expect(decoded.allSatisfy { $0.continues == answer.continues })
            let wired = try wire.outcomes.map { try $0.decoded() }
            for outcomes in decoded.map(\.outcomes) + [wired] {
                #expect(outcomes.map(describe) == answer.outcomes.map(describe), "seed \(seed)")
            }
        }
    }

    @Test("Messages without a body, and limits at their ends")
    func edges() throws {
        let mailbox = try MailboxID(sender: "a", receiver: String(repeating: "b", count: 64))
        let append = Append(mailbox, body: [])
        let bytes: [UInt8] = try AppendFrameSerializer().serialize(
            OutgoingAppendFrame(number: 0, stretches: [[append]]))
        #expect(try AppendFrameDeserializer().deserialize(bytes).appends == [append])
        let fetch = FetchCall(
            mailbox, cursor: .zero, limit: PageLimit(messages: .max, bytes: .max))
        let fetched: [UInt8] = try FetchFrameSerializer().serialize(
            OutgoingFetchFrame(number: .max, stretches: [[fetch]]))
        let decoded = try FetchFrameDeserializer().deserialize(fetched)
        #expect(decoded.fetches[0].limit == PageLimit(messages: 0xFFFF_FFFF, bytes: .max))
        let empty: [UInt8] = try FetchFrameAnswerSerializer().serialize(
            FetchFrameAnswer(frame: 0, outcomes: []))
        #expect(empty.isEmpty)
        #expect(try FetchFrameAnswerDeserializer().deserialize(empty).outcomes.isEmpty)
    }
}

/// An outcome as text, with all that an error says: errors are not comparable.
func describe(_ outcome: AppendOutcome) -> String {
    switch outcome {
    case .success(let result): "\(result)"
    case .failure(let error): "\(error) \(error.facts)"
    }
}

func describe(_ outcome: FetchOutcome) -> String {
    switch outcome {
    case .success(let result):
        "\(Array(result.messages)) \(result.messages.bodyBytes) \(result.hasMore) \(result.head) "
            + "\(result.epoch)"
    case .failure(let error): "\(error) \(error.facts)"
    }
}
