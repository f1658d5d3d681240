import Foundation
import GRPCCore
import Mailbox
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Testing

@testable import StoreSrv

@Suite("Appends over the network")
struct AppendServiceTests {
    @Test("A message is durable, and read back as it was sent")
    func append() async throws {
        try await TestServer.with { server in
            let answer = try await server.calls.append(
                .with { $0.append = .of("a", "b", "hello", device: "phone", number: 1) })
            #expect(answer.result.sequence == 1)
            #expect(answer.result.durability == .commit)
            #expect(!answer.result.isDuplicate)
            let again = try await server.calls.append(
                .with { $0.append = .of("a", "b", "hello", device: "phone", number: 1) })
            #expect(again.result.isDuplicate)
            #expect(again.result.sequence == 1)
            let page = try await server.calls.read(.with { $0.mailbox = .of("a", "b") })
            #expect(page.messages.map(\.body) == [Data("hello".utf8)])
            #expect(page.messages.first?.producer.device == "phone")
            #expect(page.epoch == server.store.epoch.rawValue)
            let state = try await server.calls.getSendState(
                .with {
                    $0.mailbox = .of("a", "b")
                    $0.device = "phone"
                })
            #expect(state.lastClientSequence == 1)
        }
    }

    @Test("Each refusal has its status, its code and its facts")
    func refusals() async throws {
        try await TestServer.with(store: { $0.messageBytesMaximum = 100 }) { server in
            let gap = try await refusal {
                _ = try await server.calls.append(
                    .with { $0.append = .of("a", "b", "x", device: "phone", number: 3) })
            }
            #expect(gap.code == .producerGap)
            #expect(gap.facts.expectedClientSequence == 1)
            #expect(gap.facts.mailbox?.description == "a → b")
            _ = try await server.calls.append(
                .with { $0.append = .of("a", "b", "x", device: "phone", number: 1) })
            let conflict = try await refusal {
                _ = try await server.calls.append(
                    .with { $0.append = .of("a", "b", "y", device: "phone", number: 1) })
            }
            #expect(conflict.code == .producerConflict)
            let large = try await refusal {
                _ = try await server.calls.append(
                    .with { $0.append = .of("a", "b", String(repeating: "x", count: 101)) })
            }
            #expect(large.code == .messageTooLarge)
            let nobody = try await refusal {
                _ = try await server.calls.append(.with { $0.append = .of("", "b", "x") })
            }
            #expect(nobody.code == .invalidArgument)
            #expect(nobody.message.contains("sender"))
            let empty = try await refusal { _ = try await server.calls.append(.init()) }
            #expect(empty.code == .invalidArgument)
        }
    }

    @Test("A batch refuses each for itself; an atomic one all or none")
    func batch() async throws {
        try await TestServer.with { server in
            let answer = try await server.calls.appendBatch(
                .with {
                    $0.appends = [
                        .of("a", "b", "1"), .of("a", "", "2"), .of("a", "b", "3"),
                        .of("a", "b", "4", device: "d", number: 2),
                    ]
                })
            #expect(answer.outcomes.map { $0.result.sequence } == [1, 0, 2, 0])
            #expect(answer.outcomes[1].error.code == .invalidArgument)
            #expect(answer.outcomes[3].error.code == .producerGap)
            let gap = try await refusal {
                _ = try await server.calls.appendBatch(
                    .with {
                        $0.atomic = true
                        $0.appends = [
                            .of("a", "b", "5"), .of("a", "b", "6", device: "d", number: 2),
                        ]
                    })
            }
            #expect(gap.code == .producerGap)
            let head = try await server.calls.getHead(.with { $0.mailbox = .of("a", "b") })
            #expect(head.head.maxSequence == 2)
        }
    }

    @Test("Frames are answered in their order, each append with its outcome")
    func stream() async throws {
        try await TestServer.with { server in
            let frames = (0..<200).map { frame in
                Wire.AppendStreamRequest.with {
                    $0.frame = UInt64(1_000 - frame)
                    $0.appends = (0..<16).map { place in
                        .of("s\(place % 3)", "r", "\(frame) \(place)")
                    }
                    if frame == 7 { $0.appends[3].receiver = "" }
                }
            }
            let answers = try await server.calls.appendStream { writer in
                try await writer.write(contentsOf: frames)
            } onResponse: { response in
                try await response.messages.reduce(into: []) { $0.append($1) }
            }
            #expect(answers.map(\.frame) == frames.map(\.frame))
            #expect(answers[7].outcomes[3].error.code == .invalidArgument)
            #expect(answers.flatMap(\.outcomes).filter { $0.error != .init() }.count == 1)
            var last: [String: UInt32] = [:]
            for (frame, answer) in zip(frames, answers) {
                try #require(answer.outcomes.count == frame.appends.count)
                for (append, outcome) in zip(frame.appends, answer.outcomes)
                where outcome.error == .init() {
                    last[append.sender, default: 0] += 1
                    #expect(outcome.result.sequence == last[append.sender])
                }
            }
        }
    }

    @Test("A stream ends with a typed status at a frame that is too long, after all before it")
    func tooMany() async throws {
        try await TestServer.with(store: { $0.batchMessagesMaximum = 10 }) { server in
            let refused = try await refusal {
                try await server.calls.appendStream { writer in
                    for count in [10, 11] {
                        try await writer.write(
                            .with { $0.appends = (0..<count).map { .of("a", "b", "\($0)") } })
                    }
                } onResponse: { response in
                    var answers = 0
                    do {
                        for try await answer in response.messages {
                            #expect(answer.outcomes.count == 10)
                            answers += 1
                        }
                    } catch {
                        #expect(answers == 1)
                        throw error
                    }
                }
            }
            #expect(refused.code == .invalidArgument)
            #expect(refused.message.contains("11"))
        }
    }
}
