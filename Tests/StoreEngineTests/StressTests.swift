import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Synchronization
import Testing

/// Many tasks write, read, confirm and compact at once until the store stops dead at a fault point;
/// then it is opened again and held to what each task was told.
@Suite("Many at once, until the store stops dead", .serialized)
struct StressTests {
    /// What was promised, over all rounds: the oracle outside of the store.
    private struct History {
        /// Where each device's numbers went.
        var accepted: [MailboxID: [DeviceID: [ClientSequence: SequenceNumber]]] = [:]
        /// The highest cursor that was about to be sent.
        var cursors: [MailboxID: SequenceNumber] = [:]
        /// The highest sequence that a reader saw.
        var seen: [MailboxID: SequenceNumber] = [:]
    }

    private static let mailboxCount = 6
    private static let writerCount = 5

    private static func mailbox(_ number: Int) throws -> MailboxID {
        try MailboxID(sender: "s\(number)", receiver: "r\(number % 3)")
    }

    private static func body(
        _ mailbox: MailboxID, _ device: DeviceID, _ number: ClientSequence
    ) -> [UInt8] {
        Array("\(mailbox) \(device) \(number) ".utf8)
            + [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Int(number &* 37 % 600))
    }

    @Test("Nothing that was accepted is lost, doubled, reordered or changed", arguments: [1, 3])
    func survives(shardCount: Int) async throws {
        let environment = ProcessInfo.processInfo.environment
        let rounds = environment["MAILBOX_STRESS"].flatMap(Int.init) ?? 40
        let seed = environment["MAILBOX_SEED"].flatMap(UInt64.init) ?? 21
        var random = SeededRandom(seed: seed)
        let scratch = try Scratch()
        let path = scratch.file("store")
        var configuration = StoreConfiguration.tiny()
        configuration.shardCount = shardCount
        let history = Mutex(History())
        try MailboxStore.open(at: path, configuration: configuration).close()
        for round in 0..<rounds {
            let points = FaultPoint.allCases
            let plan = FaultPlan(
                point: points[Int.random(in: 0..<points.count, using: &random)].rawValue,
                occurrence: random.skewedIndex(below: 40) + 1, isLasting: false)
            configuration.faults = FaultHooks(
                plan, StoreError(code: .failed, message: "injected: the process dies here"))
            if let store = try? MailboxStore.open(at: path, configuration: configuration) {
                await Self.work(store, history, seed: random.next())
                store.abandon()
            }
            // Nothing moves while it is looked at.
            var quiet = configuration
            quiet.faults = nil
            quiet.checkpointIntervalMilliseconds = 3_600_000
            let store = try MailboxStore.open(at: path, configuration: quiet)
            try history.withLock { history in
                try Self.check(store, &history, "seed \(seed), round \(round)")
            }
            store.abandon()
        }
        let count = history.withLock { history in
            history.accepted.values.reduce(0) { $0 + $1.values.reduce(0) { $0 + $1.count } }
        }
        #expect(count > rounds * 10)
    }

    /// Runs all tasks until the store fails, or each has done its share.
    private static func work(
        _ store: MailboxStore, _ history: borrowing Mutex<History>, seed: UInt64
    ) async {
        let shared = Shared(store: store)
        await withTaskGroup(of: Void.self) { group in
            for writer in 0..<writerCount {
                group.addTask { await write(shared, writer, seed: seed &+ UInt64(writer)) }
            }
            for reader in 0..<2 {
                group.addTask { await read(shared, seed: seed &+ 100 &+ UInt64(reader)) }
            }
            group.addTask {
                for policy in [RetentionPolicy.newest(50), .unacknowledged, .newest(20)] {
                    _ = try? await store.compact(policy)
                    _ = try? await store.checkpoint()
                }
            }
        }
        let round = shared.history.withLock { $0 }
        history.withLock { history in
            for (mailbox, devices) in round.accepted {
                for (device, numbers) in devices {
                    history.accepted[mailbox, default: [:]][device, default: [:]]
                        .merge(numbers) { $1 }
                }
            }
            history.cursors.merge(round.cursors) { max($0, $1) }
            history.seen.merge(round.seen) { max($0, $1) }
        }
    }

    /// What the tasks of one round share.
    private final class Shared: Sendable {
        let store: MailboxStore
        let history = Mutex(History())

        init(store: MailboxStore) { self.store = store }
    }

    /// One device writes to all mailboxes: single, in batches, all or nothing.
    private static func write(_ shared: Shared, _ writer: Int, seed: UInt64) async {
        var random = SeededRandom(seed: seed)
        for _ in 0..<40 {
            do {
                let device = try DeviceID("device\(writer)")
                let mailbox = try mailbox(Int.random(in: 0..<mailboxCount, using: &random))
                let first = try shared.store.sendState(mailbox, device: device) + 1
                let count = ClientSequence(Int.random(in: 1...6, using: &random))
                let appends = (first..<first + count).map {
                    Append(
                        mailbox, producer: Producer(device: device, clientSequence: $0),
                        body: body(mailbox, device, $0))
                }
                let isAtomic = random.chance(30)
                let results =
                    isAtomic
                    ? try await shared.store.append(atomically: appends).map { .success($0) }
                    : try await shared.store.append(batch: appends)
                for (append, result) in zip(appends, results) {
                    guard case .success(let answer) = result, let sequence = answer.sequence,
                        let producer = append.producer
                    else { continue }
                    shared.history.withLock {
                        $0.accepted[mailbox, default: [:]][device, default: [:]][
                            producer.clientSequence] = sequence
                    }
                }
            } catch {
                return
            }
        }
    }

    /// Reads pages, and confirms some of what it read.
    private static func read(_ shared: Shared, seed: UInt64) async {
        var random = SeededRandom(seed: seed)
        for _ in 0..<60 {
            do {
                let mailbox = try mailbox(Int.random(in: 0..<mailboxCount, using: &random))
                let head = try shared.store.head(mailbox)
                let cursor = SequenceNumber.random(
                    in: head.acknowledged...head.max, using: &random)
                shared.history.withLock {
                    $0.cursors[mailbox] = max($0.cursors[mailbox] ?? 0, cursor)
                }
                let page = try shared.store.fetch(
                    mailbox, cursor: Cursor(cursor, epoch: shared.store.epoch), limit: .standard)
                let last = max(page.messages.lastSequence ?? 0, page.head.max)
                shared.history.withLock {
                    $0.seen[mailbox] = max($0.seen[mailbox] ?? 0, last)
                }
                await Task.yield()
            } catch {
                return
            }
        }
    }

    private static func check(
        _ store: MailboxStore, _ history: inout History, _ place: String
    ) throws {
        try expectSound(store)
        for number in 0..<mailboxCount {
            let mailbox = try mailbox(number)
            let head = try store.head(mailbox)
            try #require(head.max >= history.seen[mailbox] ?? 0, "\(place): a seen message is lost")
            try #require(head.acknowledged <= history.cursors[mailbox] ?? 0, "\(place)")
            var messages: [SequenceNumber: Message] = [:]
            var last: [DeviceID: ClientSequence] = [:]
            var after = head.floor
            while after < head.max {
                let page = try store.read(mailbox, after: after, through: nil, limit: .standard)
                for message in page.messages {
                    try #require(message.sequence == after + 1, "\(place): a hole")
                    after = message.sequence
                    messages[after] = message
                    let producer = try #require(message.producer)
                    let expected = body(mailbox, producer.device, producer.clientSequence)
                    try #require(message.body.elementsEqual(expected), "\(place): a wrong body")
                    if let before = last[producer.device] {
                        try #require(producer.clientSequence == before + 1, "\(place): reordered")
                    }
                    last[producer.device] = producer.clientSequence
                }
            }
            for (device, numbers) in history.accepted[mailbox] ?? [:] {
                let newest = numbers.keys.max() ?? 0
                let state = try store.sendState(mailbox, device: device)
                try #require(state >= newest, "\(place): sendState sank")
                for (clientSequence, sequence) in numbers where sequence > head.floor {
                    let message = try #require(messages[sequence], "\(place): lost")
                    try #require(message.producer?.device == device, "\(place): given twice")
                    try #require(message.producer?.clientSequence == clientSequence, "\(place)")
                }
                // Those that nobody heard of are stored or not; what is stored now stays.
                if let newest = last[device] { try #require(state == newest, "\(place)") }
            }
            // Later rounds must keep what this one found.
            for (sequence, message) in messages {
                guard let producer = message.producer else { continue }
                history.accepted[mailbox, default: [:]][producer.device, default: [:]][
                    producer.clientSequence] = sequence
            }
            history.seen[mailbox] = head.max
        }
    }
}
