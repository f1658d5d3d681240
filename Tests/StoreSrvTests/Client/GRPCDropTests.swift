import Foundation
import Mailbox
import MailboxTesting
import StoreAPI
import StoreEngine
import StoreSrv
import Testing

@Suite("Connections that are cut anywhere", .serialized)
struct GRPCDropTests {
    static let seeds: Range<UInt64> =
        0..<(ProcessInfo.processInfo.environment["MAILBOX_SEEDS"].flatMap(UInt64.init) ?? 12)

    /// What became of the appends without producers.
    private struct Fates: Sendable {
        var stored: [String] = []
        var unknown: [String] = []
        var unsent: [String] = []
        /// The sequences that answers gave to bodies, numbered or not.
        var sequences: [String: SequenceNumber] = [:]
    }

    @Test("Appends are stored once and in order, or said to be unknown", arguments: seeds)
    func appends(seed: UInt64) async throws {
        let served = try ServedStore(
            .served(clock: ManualClock()), seed: seed, cutAfter: 500...4_000)
        try await served.start()
        let proxy = served.proxy
        let running = try RunningClient(socketPath: served.socketPath) { configuration in
            configuration.framesInFlight = 1 + Int(seed % 4)
        }
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let fates = try await write(running.client, mailbox)
        proxy.spare()
        await running.end()
        let store = await served.store
        var bodies: [String] = []
        var after: SequenceNumber = 0
        while true {
            let page = try store.read(
                mailbox, after: after, through: nil, limit: PageLimit(messages: 100))
            for message in page.messages {
                #expect(message.sequence == bodies.count + 1, "seed \(seed): a hole")
                bodies.append(String(decoding: message.body, as: UTF8.self))
            }
            guard page.hasMore, let last = page.messages.lastSequence else { break }
            after = last
        }
        #expect(Set(bodies).count == bodies.count, "seed \(seed): nothing is stored twice")
        for device in 0..<4 {
            let expected = (1...60).map { "d\(device) \($0)" }
            #expect(
                bodies.filter { $0.hasPrefix("d\(device) ") } == expected,
                "seed \(seed): device \(device) in order, each once")
        }
        for (body, sequence) in fates.sequences {
            #expect(bodies[Int(sequence) - 1] == body, "seed \(seed): answered \(sequence)")
        }
        #expect(Set(fates.stored).isSubset(of: bodies), "seed \(seed)")
        #expect(Set(fates.unsent).isDisjoint(with: bodies), "seed \(seed)")
        let told = Set(fates.stored).union(fates.unknown)
        #expect(bodies.allSatisfy { $0.hasPrefix("d") || told.contains($0) }, "seed \(seed)")
        #expect(proxy.cuts > 0, "seed \(seed): nothing was cut")
        await served.remove()
    }

    /// Four devices that number their messages, and four that do not, all at once.
    private func write(_ client: StoreClient, _ mailbox: MailboxID) async throws -> Fates {
        try await withThrowingTaskGroup(of: Fates.self) { group in
            for device in 0..<4 {
                group.addTask {
                    let name = try DeviceID("d\(device)")
                    var fates = Fates()
                    for number in ClientSequence(1)...60 {
                        let producer = Producer(device: name, clientSequence: number)
                        let text = "d\(device) \(number)"
                        let result = try await client.append(
                            Append(mailbox, producer: producer, text: text))
                        // None of them is so old that the store could no longer tell it.
                        let sequence: SequenceNumber = try #require(result.sequence)
                        fates.sequences[text] = sequence
                    }
                    return fates
                }
                group.addTask {
                    var fates = Fates()
                    for number in 1...60 {
                        let text = "n\(device) \(number)"
                        do throws(StoreError) {
                            let result = try await client.append(Append(mailbox, text: text))
                            fates.stored.append(text)
                            fates.sequences[text] = result.sequence
                        } catch {
                            switch error.code {
                            case .unknown: fates.unknown.append(text)
                            case .unavailable: fates.unsent.append(text)
                            default: throw error
                            }
                        }
                    }
                    return fates
                }
            }
            return try await group.reduce(into: Fates()) { all, fates in
                all.stored += fates.stored
                all.unknown += fates.unknown
                all.unsent += fates.unsent
                all.sequences.merge(fates.sequences) { $1 }
            }
        }
    }

    @Test("Fetches, reads and watches go on as if nothing were", arguments: seeds)
    func reads(seed: UInt64) async throws {
        let served = try ServedStore(
            .served(clock: ManualClock()), seed: seed, cutAfter: 1_000...8_000)
        try await served.start()
        let running = try RunningClient(socketPath: served.socketPath)
        let client = running.client
        let store = await served.store
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let watch = try await client.watch([mailbox.receiver])
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for number in 1...300 {
                    _ = try await store.append(Append(mailbox, text: "\(number)"))
                }
            }
            group.addTask {
                for try await event in watch {
                    if case .head(mailbox, let head) = event, head.max == 300 { return }
                }
                Issue.record("seed \(seed): the watch ended")
            }
            group.addTask {
                var cursor = Cursor.zero
                while cursor.sequence < 300 {
                    let page = try await client.fetch(
                        mailbox, cursor: cursor, limit: PageLimit(messages: 7))
                    for message in page.messages {
                        #expect(message.sequence == cursor.sequence + 1, "seed \(seed)")
                        #expect(Array(message.body) == Array("\(message.sequence)".utf8))
                        cursor = Cursor(message.sequence, epoch: page.epoch)
                    }
                    _ = try await client.head(mailbox)
                }
            }
            try await group.waitForAll()
        }
        await running.end()
        await served.remove()
    }
}
