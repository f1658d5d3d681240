import Foundation
import GRPCCore
import Mailbox
import StoreAPI
import StoreEngine
import SwiftProtobuf
import Testing

@testable import StoreSrv

@Suite("Fetches over the network")
struct FetchServiceTests {
    private static func fill(
        _ store: MailboxStore, _ sender: String, count: Int, bytes: Int = 10
    ) async throws {
        let mailbox = try MailboxID(sender: sender, receiver: "r")
        let results = try await store.append(
            batch: (0..<count).map { _ in
                Append(mailbox, body: [UInt8](repeating: 7, count: bytes))
            })
        for result in results { _ = try result.get() }
    }

    private static func fetch(
        _ server: TestServer, _ cursor: UInt32, epoch: UInt64? = nil
    ) async throws -> Wire.FetchResponse {
        try await server.calls.fetch(
            .with {
                $0.mailbox = .of("s", "r")
                $0.cursor.sequence = cursor
                $0.cursor.epoch = epoch ?? server.store.epoch.rawValue
                $0.limit.messages = 1_000
            })
    }

    @Test("The three cases of the contract")
    func cases() async throws {
        try await TestServer.with { server in
            try await Self.fill(server.store, "s", count: 150)
            let first = try await Self.fetch(server, 100)
            #expect(first.messages.map(\.sequence) == Array(101...150))
            #expect(first.head.acknowledgedSequence == 100)
            try await Self.fill(server.store, "s", count: 50)
            let second = try await Self.fetch(server, 150)
            #expect(second.messages.map(\.sequence) == Array(151...200))
            let third = try await Self.fetch(server, 120)
            #expect(third.messages.map(\.sequence) == Array(151...200))
            #expect(third.head.acknowledgedSequence == 150)
            let ahead = try await refusal { _ = try await Self.fetch(server, 201) }
            #expect(ahead.code == .cursorAhead)
            #expect(ahead.facts.maxSequence == 200)
            let foreign = try await refusal { _ = try await Self.fetch(server, 1, epoch: 1) }
            #expect(foreign.code == .epochChanged)
            #expect(foreign.facts.currentEpoch == server.store.epoch)
        }
    }

    @Test("A frame's outcomes come in order, in pieces of about a mebibyte")
    func stream() async throws {
        try await TestServer.with { server in
            for sender in 0..<40 {
                try await Self.fill(server.store, "s\(sender)", count: 10, bytes: 10_000)
            }
            let request = Wire.FetchStreamRequest.with {
                $0.frame = 9
                $0.fetches = (0..<40).map { sender in
                    .with {
                        $0.mailbox = .of("s\(sender)", "r")
                        $0.cursor.sequence = sender == 5 ? 11 : 0
                        $0.cursor.epoch = server.store.epoch.rawValue
                    }
                }
                $0.fetches[17].mailbox.sender = ""
            }
            let answers = try await server.calls.fetchStream { writer in
                try await writer.write(request)
                try await writer.write(.with { $0.frame = 10 })
            } onResponse: { response in
                try await response.messages.reduce(into: []) { $0.append($1) }
            }
            let pieces = answers.filter { $0.frame == 9 }
            #expect(pieces.count > 3)
            #expect(pieces.dropLast().allSatisfy { $0.continues })
            #expect(pieces.last?.continues == false)
            // A frame without fetches has an answer all the same.
            #expect(answers.last?.frame == 10)
            let outcomes = pieces.flatMap(\.outcomes)
            #expect(outcomes.count == 40)
            for (place, outcome) in outcomes.enumerated() {
                switch place {
                case 5: #expect(outcome.error.code == .cursorAhead)
                case 17: #expect(outcome.error.code == .invalidArgument)
                default: #expect(outcome.response.messages.count == 10)
                }
            }
        }
    }

    @Test("Inbox, sync, read and acknowledge")
    func others() async throws {
        try await TestServer.with { server in
            for sender in ["a", "b", "c"] { try await Self.fill(server.store, sender, count: 5) }
            let epoch = server.store.epoch.rawValue
            let inbox = try await server.calls.listInbox(
                .with {
                    $0.receiver = "r"
                    $0.limit = 2
                })
            #expect(inbox.entries.map(\.sender) == ["a", "b"])
            #expect(inbox.next == "b")
            let acknowledged = try await server.calls.acknowledge(
                .with {
                    $0.mailbox = .of("a", "r")
                    $0.cursor.sequence = 5
                    $0.cursor.epoch = epoch
                })
            #expect(acknowledged.head.acknowledgedSequence == 5)
            let sync = try await server.calls.sync(
                .with {
                    $0.receiver = "r"
                    $0.cursors = [
                        .with {
                            $0.sender = "b"
                            $0.cursor.sequence = 3
                            $0.cursor.epoch = epoch
                        }
                    ]
                })
            #expect(sync.entries.map(\.sender) == ["b", "c"])
            #expect(sync.entries.first?.messages.map(\.sequence) == [4, 5])
            _ = try await server.admin.compact(.init())
            let trimmed = try await refusal {
                _ = try await server.calls.read(.with { $0.mailbox = .of("b", "r") })
            }
            #expect(trimmed.code == .trimmed)
            #expect(trimmed.facts.floor == 3)
            let limit = try await refusal {
                _ = try await server.calls.listInbox(
                    .with {
                        $0.receiver = "r"
                        $0.limit = 10_001
                    })
            }
            #expect(limit.code == .invalidArgument)
        }
    }
}
