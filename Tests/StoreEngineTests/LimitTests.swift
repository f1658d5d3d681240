import Mailbox
import MailboxTesting
import StoreEngine
import Testing

@Suite("The engine at its limits")
struct LimitTests {
    private static func mailbox(_ number: Int = 0) throws -> MailboxID {
        try MailboxID(sender: "sender\(number)", receiver: "bob")
    }

    @Test("A full store refuses appends, reads and confirms on, and recovers when room is made")
    func full() async throws {
        let scratch = try Scratch()
        var configuration = StoreConfiguration.tiny()
        configuration.retention = .newest(.max)
        configuration.mapBytesMaximum = 16 << 20
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let body = [UInt8](repeating: 7, count: 10_000)
        var stored: [MailboxID: SequenceNumber] = [:]
        var refusal: StoreError?
        filling: for round in 0..<2_000 {
            let mailbox = try Self.mailbox(round % 20)
            do {
                stored[mailbox] = try await store.append(Append(mailbox, body: body)).sequence
            } catch {
                refusal = error
                break filling
            }
        }
        #expect(refusal?.code == .storageFull)
        for (mailbox, sequence) in stored {
            let head = try store.head(mailbox)
            #expect(head.max == sequence)
            let page = try store.fetch(
                mailbox, cursor: Cursor(0, epoch: store.epoch), limit: PageLimit(messages: 2))
            #expect(page.messages.first.map { Array($0.body) } == body)
            let confirmed = try store.acknowledge(
                mailbox, through: Cursor(head.max, epoch: store.epoch))
            #expect(confirmed.acknowledged == head.max)
        }
        try await store.compact(.unacknowledged)
        try await store.checkpoint()
        let mailbox = try Self.mailbox()
        let result = try await store.append(Append(mailbox, body: body))
        #expect(result.sequence == (stored[mailbox] ?? 0) + 1)
        try expectSound(store)
        try store.close()
    }

    @Test("A queue that is full says overloaded, and what waits is stored")
    func overloaded() async throws {
        let scratch = try Scratch()
        let gate = Gate(at: .journalWrite)
        var configuration = StoreConfiguration.tiny()
        configuration.queueBytesMaximum = 1 << 20
        configuration.faults = gate.hooks
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailbox = try Self.mailbox()
        gate.close()
        let first = Task { try await store.append(Append(mailbox, text: "first")) }
        await gate.waitUntilReached()
        let body = [UInt8](repeating: 1, count: 20_000)
        let outcomes = await withTaskGroup(of: StoreError.Code?.self) { group in
            for _ in 0..<100 {
                group.addTask {
                    do throws(StoreError) {
                        _ = try await store.append(Append(mailbox, body: body))
                        return nil
                    } catch {
                        // The first refusal shows that the queue is full: nothing need wait.
                        gate.open()
                        return error.code
                    }
                }
            }
            return await group.reduce(into: []) { $0.append($1) }
        }
        _ = try await first.value
        let refused = outcomes.compactMap(\.self)
        #expect(!refused.isEmpty)
        #expect(refused.allSatisfy { $0 == .overloaded })
        let head = try store.head(mailbox)
        #expect(Int(head.max) == 1 + outcomes.count - refused.count)
        try store.close()
    }

    @Test("Bodies of every power of two up to 16 MiB")
    func largeBodies() async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        var configuration = StoreConfiguration()
        configuration.messageBytesMaximum = 16 << 20
        configuration.clock = ManualClock()
        let mailbox = try MailboxID(
            sender: String(repeating: "s", count: 64), receiver: String(repeating: "r", count: 64))
        var random = SeededRandom(seed: 2)
        let bodies = (12...24).map { random.bytes(1 << $0) }
        var store = try MailboxStore.open(at: path, configuration: configuration)
        for body in bodies { _ = try await store.append(Append(mailbox, body: body)) }
        for isClean in [true, false] {
            isClean ? try store.close() : store.abandon()
            store = try MailboxStore.open(at: path, configuration: configuration)
            for (index, body) in bodies.enumerated() {
                let page = try store.read(
                    mailbox, after: SequenceNumber(index), through: nil,
                    limit: PageLimit(messages: 1, bytes: 1))
                let isSame = page.messages.first?.body == body[...]
                #expect(isSame, "\(body.count) bytes")
            }
        }
        try expectSound(store)
        try store.close()
    }

    @Test("A batch beyond one group is stored in several, an atomic one is refused")
    func largeBatches() async throws {
        let scratch = try Scratch()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: .tiny())
        let mailbox = try Self.mailbox()
        let batch = (0..<300).map { number in
            Append(mailbox, body: [UInt8](repeating: UInt8(number % 256), count: 1_000))
        }
        let error = await #expect(throws: StoreError.self) {
            try await store.append(atomically: batch)
        }
        #expect(error?.code == .invalidArgument)
        #expect(try store.head(mailbox) == .empty)
        let results = try await store.append(batch: batch)
        #expect(try results.map { try $0.get().sequence } == (1...300).map { SequenceNumber($0) })
        #expect(try store.head(mailbox).bodyBytes == 300_000)
        try store.close()
    }

    @Test("An atomic batch over several shards is refused, over one it is stored")
    func shards() async throws {
        let scratch = try Scratch()
        var configuration = StoreConfiguration.tiny()
        configuration.shardCount = 4
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailboxes = try (0..<16).map { try MailboxID(sender: "alice", receiver: "r\($0)") }
        let error = await #expect(throws: StoreError.self) {
            try await store.append(atomically: mailboxes.map { Append($0, text: "x") })
        }
        #expect(error?.code == .invalidArgument)
        for mailbox in mailboxes {
            #expect(try store.head(mailbox) == .empty)
            let results = try await store.append(atomically: [
                Append(mailbox, text: "1"), Append(mailbox, text: "2"),
            ])
            #expect(results.map(\.sequence) == [1, 2])
        }
        let mixed = try await store.append(batch: mailboxes.map { Append($0, text: "3") })
        #expect(try mixed.allSatisfy { try $0.get().sequence == 3 })
        try store.close()
        // The shard count is the store's own.
        configuration.shardCount = 1
        let reopened = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        #expect(reopened.shardCount == 4)
        for mailbox in mailboxes { #expect(try reopened.head(mailbox).max == 3) }
        try reopened.close()
    }

    @Test("More mailboxes than memory may hold are all there, cold and warm")
    func manyMailboxes() async throws {
        let scratch = try Scratch()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: .tiny())
        let mailboxes = try (0..<600).map {
            try MailboxID(sender: "s\($0 % 50)", receiver: "r\($0 / 50)")
        }
        for round in SequenceNumber(1)...3 {
            for start in stride(from: 0, to: mailboxes.count, by: 100) {
                let batch = mailboxes[start..<start + 100].map { Append($0, text: "\(round)") }
                for result in try await store.append(batch: batch) {
                    #expect(try result.get().sequence == round)
                }
            }
            for mailbox in mailboxes.reversed() where round < 3 {
                let page = try store.fetch(
                    mailbox, cursor: Cursor(round - 1, epoch: store.epoch), limit: .standard)
                #expect(page.messages.map { Array($0.body) } == [Array("\(round)".utf8)])
            }
        }
        try await store.checkpoint()
        #expect(try store.statistics().mailboxesInMemory <= 600)
        for number in 0..<12 {
            let page = try store.inbox(try Address("r\(number)"), after: nil, limit: 100)
            #expect(page.entries.count == 50)
            #expect(page.entries.allSatisfy { $0.head.max == 3 && $0.head.acknowledged == 1 })
        }
        try expectSound(store)
        try store.close()
    }

    @Test("Too many watchers are refused; those that leave make room")
    func watchers() async throws {
        let scratch = try Scratch()
        var configuration = StoreConfiguration.tiny()
        configuration.watchersMaximum = 2
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let bob = try Address("bob")
        do {
            let first = try store.watch([bob])
            let second = try store.watch([bob])
            let error = #expect(throws: StoreError.self) { _ = try store.watch([bob]) }
            #expect(error?.code == .overloaded)
            withExtendedLifetime((first, second)) {}
        }
        _ = try store.watch([bob])
        try store.close()
    }

    @Test("A watcher that falls behind lists anew, and misses nothing")
    func slowWatcher() async throws {
        let scratch = try Scratch()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: .tiny())
        let bob = try Address("bob")
        var events = try store.watch([bob]).makeAsyncIterator()
        #expect(try await events.next(isolation: nil) == .caughtUp)
        for number in 0..<40 {
            for _ in 0...number % 3 {
                _ = try await store.append(Append(try Self.mailbox(number), text: "x"))
            }
        }
        var heads: [MailboxID: SequenceNumber] = [:]
        var count = 0
        while heads.count < 40, let event = try await events.next(isolation: nil) {
            if case .head(let mailbox, let head) = event { heads[mailbox] = head.max }
            count += 1
        }
        // Fewer events than appends: one for each mailbox, and what says that they were listed.
        #expect(count <= 44)
        for number in 0..<40 {
            #expect(heads[try Self.mailbox(number)] == SequenceNumber(number % 3 + 1))
        }
        try store.close()
    }
}
