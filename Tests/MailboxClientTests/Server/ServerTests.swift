import Foundation
import Mailbox
import ServerTesting
import Testing

@testable import MailboxClient

/// The library over its WebSocket against `mailboxd all`, a process of its own.
@Suite("The client and mailboxd", .timeLimit(.minutes(5)))
struct ServerTests {
    private let anna: Address
    private let bert: Address

    init() throws {
        anna = try Address("anna")
        bert = try Address("bert")
    }

    /// Sends numbered messages, and waits until all are accepted.
    private static func send(
        _ numbers: ClosedRange<Int>, _ name: String, to peer: Address, from client: MailboxClient
    ) async throws -> [OutgoingState] {
        var sent: [SentMessage] = []
        for number in numbers {
            sent.append(try await client.send(Array("\(name) \(number)".utf8), to: peer))
        }
        var states: [OutgoingState] = []
        for message in sent { states.append(await message.settled()) }
        return states
    }

    @Test("Two clients talk: each message once, in order, both ways")
    func exchange() async throws {
        let world = try await ServerWorld.start()
        let (first, second) = (try world.client("anna"), try world.client("bert"))
        await first.start()
        await second.start()
        async let toBert = Self.send(1...60, "anna", to: bert, from: first)
        async let toAnna = Self.send(1...60, "bert", to: anna, from: second)
        async let atBert = take(60, from: second)
        async let atAnna = take(60, from: first)
        #expect(try await toBert == (1...60).map { .accepted(UInt32($0)) })
        #expect(try await toAnna == (1...60).map { .accepted(UInt32($0)) })
        #expect(try await atBert.map(\.text) == (1...60).map { "anna \($0)" })
        #expect(try await atAnna.map(\.text) == (1...60).map { "bert \($0)" })
        #expect(first.connectionState == .connected)
        let statistics = try await second.statistics()
        #expect(statistics.unconfirmedCount == 0 && statistics.waitingCount == 0)
        #expect(statistics.acceptedCount == 60 && statistics.receivedCount == 60)
        let page = try await second.history(with: anna, limit: 1_000)
        #expect(page.count == 120)
        try await first.shutdown()
        try await second.shutdown()
        try await world.stop()
    }

    @Test("The server is killed and started again and again: nothing is lost or doubled")
    func killedServer() async throws {
        let world = try await ServerWorld.start()
        let (first, second) = (try world.client("anna"), try world.client("bert"))
        await first.start()
        await second.start()
        let bert = bert
        async let states = withThrowingTaskGroup(
            of: OutgoingState.self, returning: [OutgoingState].self
        ) { group in
            for number in 1...600 {
                let message = try await first.send(Array("anna \(number)".utf8), to: bert)
                group.addTask { await message.settled() }
            }
            return try await group.reduce(into: []) { $0.append($1) }
        }
        async let received = take(600, from: second)
        for round in 1...4 {
            try await eventually("the server takes more, round \(round)") {
                try await first.statistics().acceptedCount > (round - 1) * 100
            }
            try await world.kill()
            try await world.startAgain()
        }
        let accepted = try await states
        #expect(accepted.count == 600)
        #expect(accepted.allSatisfy { if case .accepted = $0 { true } else { false } })
        #expect(try await received.map(\.text) == (1...600).map { "anna \($0)" })
        #expect(try await received.map(\.sequence) == (1...600).map { UInt32($0) })
        #expect(try await first.statistics().connectionCount >= 2)
        try await first.shutdown()
        try await second.shutdown()
        try await world.stop()
    }

    @Test("What was sent while no server was there arrives when it is")
    func offlineQueue() async throws {
        let world = try await ServerWorld.start()
        try await world.kill()
        let first = try world.client("anna")
        await first.start()
        let sent = try await withThrowingTaskGroup(of: Void.self) { group in
            // Many senders at once share syncs; two lanes, each in its order.
            for (name, peer) in [("to bert", bert), ("to anna", anna)] {
                group.addTask {
                    for number in 1...1_500 {
                        _ = try await first.send(Array("\(name) \(number)".utf8), to: peer)
                    }
                }
            }
            try await group.waitForAll()
            return try await first.statistics().waitingCount
        }
        #expect(sent == 3_000)
        // And the program is started again in between.
        try await first.shutdown()
        let again = try world.client("anna")
        await again.start()
        try await world.startAgain()
        let second = try world.client("bert")
        await second.start()
        async let own = take(1_500, from: again)
        #expect(
            try await take(1_500, from: second).map(\.text) == (1...1_500).map { "to bert \($0)" })
        #expect(try await own.map(\.text) == (1...1_500).map { "to anna \($0)" })
        #expect(try await again.statistics().waitingCount == 0)
        try await again.shutdown()
        try await second.shutdown()
        try await world.stop()
    }

    @Test("Above the server's rate nothing is lost, and the connection is kept")
    func slowServer() async throws {
        let world = try await ServerWorld.start(["--devices-requests-per-second", "300"])
        let (first, second) = (try world.client("anna"), try world.client("bert"))
        for number in 1...1_500 {
            _ = try await first.send(Array("anna \(number)".utf8), to: bert)
        }
        #expect(try await first.statistics().waitingCount == 1_500)
        await first.start()
        await second.start()
        #expect(
            try await take(1_500, from: second).map(\.text) == (1...1_500).map { "anna \($0)" })
        try await eventually("all is accepted") { try await first.statistics().waitingCount == 0 }
        #expect(try await first.statistics().connectionCount == 1)
        try await first.shutdown()
        try await second.shutdown()
        try await world.stop()
    }

    @Test("Two devices of one account send: both streams arrive, each in its order")
    func twoSendingDevices() async throws {
        let world = try await ServerWorld.start()
        let phone = try world.client("anna", file: "phone")
        let laptop = try world.client("anna", file: "laptop")
        let second = try world.client("bert")
        for client in [phone, laptop, second] { await client.start() }
        async let one = Self.send(1...300, "phone", to: bert, from: phone)
        async let other = Self.send(1...300, "laptop", to: bert, from: laptop)
        let received = try await take(600, from: second)
        for name in ["phone", "laptop"] {
            let texts = received.map(\.text).filter { $0.hasPrefix(name) }
            #expect(texts == (1...300).map { "\(name) \($0)" })
        }
        #expect(try await one.count == 300)
        #expect(try await other.count == 300)
        for client in [phone, laptop, second] { try await client.shutdown() }
        try await world.stop()
    }

    @Test("Two devices of one account receive: no gap but what the other one confirmed")
    func twoReceivingDevices() async throws {
        let world = try await ServerWorld.start()
        let first = try world.client("anna")
        let devices = [
            try world.client("bert", file: "phone"), try world.client("bert", file: "laptop"),
        ]
        for client in devices + [first] { await client.start() }
        let held = Shared<Set<UInt32>>([])
        // What is confirmed, until the client is shut down; what was not confirmed comes again.
        @Sendable func read(_ device: MailboxClient) async -> [UInt32] {
            var sequences: [UInt32] = []
            for await message in device.messages {
                guard let sequence = message.sequence else { continue }
                #expect(message.text == "anna \(sequence)")
                guard (try? await device.confirm(message)) != nil else { break }
                sequences.append(sequence)
                held.withLock { _ = $0.insert(sequence) }
            }
            return sequences
        }
        let tasks = devices.map { device in Task { await read(device) } }
        _ = try await Self.send(1...200, "anna", to: bert, from: first)
        // One of them goes away for a while, and comes back.
        try await devices[1].shutdown()
        _ = try await Self.send(201...400, "anna", to: bert, from: first)
        let back = try world.client("bert", file: "laptop")
        await back.start()
        let more = Task { await read(back) }
        _ = try await Self.send(401...500, "anna", to: bert, from: first)
        try await eventually("everything is with one of them") {
            held.withLock { $0 == Set(1...500) }
        }
        for client in [devices[0], back, first] { try await client.shutdown() }
        try await Self.check(await tasks[0].value, [devices[0]])
        try await Self.check(await tasks[1].value + more.value, [devices[1], back])
        try await world.stop()
    }

    /// Sequences rise, and what lacks was said to be with the other device.
    private static func check(_ sequences: [UInt32], _ clients: [MailboxClient]) async throws {
        var missing = Set(1...(sequences.last ?? 1)).subtracting(sequences)
        #expect(sequences == sequences.sorted() && Set(sequences).count == sequences.count)
        for client in clients {
            for await event in client.events {
                guard case .receivedElsewhere(_, let after, let through) = event else { continue }
                missing.subtract(after + 1...through)
            }
        }
        #expect(missing.isEmpty)
    }
}
