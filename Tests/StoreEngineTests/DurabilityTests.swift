import Mailbox
import MailboxTesting
import StoreEngine
import Synchronization
import Testing

@Suite("Durable before acknowledged, durable before visible")
struct DurabilityTests {
    private static func mailbox() throws -> MailboxID {
        try MailboxID(sender: "alice", receiver: "bob")
    }

    @Test(
        "Nobody sees a message before its group is durable",
        arguments: [FaultPoint.journalWrite, .journalSync, .commitBeforePublish])
    func invisibleUntilDurable(_ point: FaultPoint) async throws {
        let scratch = try Scratch()
        let gate = Gate(at: point)
        var configuration = StoreConfiguration.tiny()
        configuration.faults = gate.hooks
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailbox = try Self.mailbox()
        _ = try await store.append(Append(mailbox, text: "first"))
        gate.close()
        let answer = Task { try await store.append(Append(mailbox, text: "second")) }
        await gate.waitUntilReached()

        #expect(try store.head(mailbox).max == 1)
        let page = try store.fetch(mailbox, cursor: .zero, limit: .standard)
        #expect(page.messages.map(\.sequence) == [1])
        #expect(!page.hasMore)
        let read = try store.read(mailbox, after: 1, through: nil, limit: .standard)
        #expect(read.messages.isEmpty)
        let inbox = try store.inbox(mailbox.receiver, after: nil, limit: 10)
        #expect(inbox.entries.map(\.head.max) == [1])
        let sync = try store.sync(mailbox.receiver, cursors: [:], limit: .standard)
        #expect(sync.entries.first?.result.messages.count == 1)
        let ahead = #expect(throws: StoreError.self) {
            try store.fetch(
                mailbox, cursor: Cursor(2, epoch: store.epoch), limit: .standard)
        }
        #expect(ahead?.code == .cursorAhead)

        gate.open()
        #expect(try await answer.value.sequence == 2)
        #expect(try store.head(mailbox).max == 2)
        try store.close()
    }

    @Test("A device's number does not count before its message is durable")
    func sendStateUntilDurable() async throws {
        let scratch = try Scratch()
        let gate = Gate(at: .journalSync)
        var configuration = StoreConfiguration.tiny()
        configuration.faults = gate.hooks
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailbox = try Self.mailbox()
        let phone = try DeviceID("phone")
        gate.close()
        let append = Append(
            mailbox, producer: Producer(device: phone, clientSequence: 1), text: "hello")
        let answer = Task { try await store.append(append) }
        await gate.waitUntilReached()
        #expect(try store.sendState(mailbox, device: phone) == 0)
        gate.open()
        _ = try await answer.value
        #expect(try store.sendState(mailbox, device: phone) == 1)
        try store.close()
    }

    @Test("A failed sync ends the store: nothing is acknowledged afterwards")
    func failStop() async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        // The first segment's header is synced, then two groups; the third one's sync fails.
        let plan = FaultPlan(
            point: FaultPoint.journalSync.rawValue, occurrence: 4, isLasting: false)
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.faults = FaultHooks(plan, StoreError(code: .failed, message: "injected"))
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let mailbox = try Self.mailbox()
        for _ in 0..<2 { _ = try await store.append(Append(mailbox, text: "stored")) }
        for _ in 0..<3 {
            let error = await #expect(throws: StoreError.self) {
                try await store.append(Append(mailbox, text: "unknown"))
            }
            #expect(error?.code == .failed)
        }
        // The disk is well again; the store must not be.
        #expect(plan.reached[FaultPoint.journalSync.rawValue] == 4)
        let page = try store.fetch(mailbox, cursor: .zero, limit: .standard)
        #expect(page.messages.map(\.sequence) == [1, 2])
        // Simulated disks found that it closed as if all were well, and acknowledgements were gone.
        let ending = #expect(throws: StoreError.self) { try store.close() }
        #expect(ending?.code == .failed)

        configuration.faults = nil
        let reopened = try MailboxStore.open(at: path, configuration: configuration)
        let head = try reopened.head(mailbox)
        #expect(head.max == 2 || head.max == 3)
        try expectSound(reopened)
        let result = try await reopened.append(Append(mailbox, text: "after"))
        #expect(result.sequence == head.max + 1)
        try reopened.close()
    }

    @Test("What was answered is there after a crash", arguments: [1, 2, 3])
    func survivesCrash(shardCount: Int) async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        var configuration = StoreConfiguration.tiny()
        configuration.shardCount = shardCount
        let mailboxes = try (0..<30).map { try MailboxID(sender: "s\($0)", receiver: "r\($0 % 7)") }
        var expected: [MailboxID: [[UInt8]]] = [:]
        var random = SeededRandom(seed: 4)
        for _ in 0..<8 {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            for (mailbox, bodies) in expected {
                let page = try store.fetch(mailbox, cursor: .zero, limit: .standard)
                let isSame = page.messages.map { Array($0.body) } == Array(bodies.prefix(100))
                #expect(isSame, "\(mailbox)")
                #expect(page.head.max == SequenceNumber(bodies.count))
            }
            for _ in 0..<40 {
                let mailbox = mailboxes[random.skewedIndex(below: mailboxes.count)]
                let body = random.bytes(Int.random(in: 0...300, using: &random))
                _ = try await store.append(Append(mailbox, body: body))
                expected[mailbox, default: []].append(body)
            }
            store.abandon()
        }
    }

    @Test("Every level of durability is named in the answer", arguments: Durability.allCases)
    func named(_ durability: Durability) async throws {
        let scratch = try Scratch()
        var configuration = StoreConfiguration.tiny()
        configuration.durability = durability
        configuration.syncIntervalMilliseconds = 5
        let path = scratch.file("store")
        let mailbox = try Self.mailbox()
        let store = try MailboxStore.open(at: path, configuration: configuration)
        for _ in 0..<20 {
            #expect(try await store.append(Append(mailbox, text: "x")).durability == durability)
        }
        try store.close()
        let reopened = try MailboxStore.open(at: path, configuration: configuration)
        #expect(try reopened.head(mailbox).max == 20)
        try expectSound(reopened)
        try reopened.close()
    }

    @Test(
        "The numbering of devices survives checkpoints, removal and crashes"
    )
    func producersSurvive() async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        let configuration = StoreConfiguration.tiny()
        let mailbox = try Self.mailbox()
        let phone = try DeviceID("phone")
        func append(_ number: ClientSequence, _ text: String? = nil) -> Append {
            Append(
                mailbox, producer: Producer(device: phone, clientSequence: number),
                text: text ?? "message \(number)")
        }
        var last: ClientSequence = 0
        for round in 0..<4 {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            for _ in 0..<7 {
                let batch = (1...50).map { append(last + $0) }
                for result in try await store.append(batch: batch) {
                    #expect(try !result.get().isDuplicate)
                }
                last += 50
            }
            let head = try store.head(mailbox)
            try store.acknowledge(mailbox, through: Cursor(head.max, epoch: store.epoch))
            if round % 2 == 0 { try await store.compact(.unacknowledged) }
            round % 2 == 0 ? store.abandon() : try store.close()
        }
        let store = try MailboxStore.open(at: path, configuration: configuration)
        for number in (last - 1_023)...last {
            let result = try await store.append(append(number))
            #expect(result.isDuplicate && result.sequence == number)
        }
        for number in [last - 1_023, last - 500, last] {
            let error = await #expect(throws: StoreError.self) {
                try await store.append(append(number, "other bytes"))
            }
            #expect(error?.code == .producerConflict)
        }
        let old = try await store.append(append(last - 1_024))
        #expect(old.isDuplicate && old.sequence == nil)
        #expect(try store.sendState(mailbox, device: phone) == last)
        try store.close()
    }
}
