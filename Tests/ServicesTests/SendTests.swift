import Mailbox
import MailboxTesting
import Metrics
import SendSrv
import StoreAPI
import Synchronization
import Testing

@Suite("SendSrv")
struct SendTests {
    private static func appends(_ count: Int, mailboxes: Int) throws -> [Append] {
        let phone = try DeviceID("phone")
        return try (0..<count).map { number in
            let mailbox = try MailboxID(sender: "alice", receiver: "b\(number % mailboxes)")
            let own = ClientSequence(number / mailboxes + 1)
            return Append(
                mailbox, producer: Producer(device: phone, clientSequence: own),
                text: "message \(number)")
        }
    }

    private static func sender(
        _ storage: any MailboxStorage, _ push: any PushNotifying
    ) -> MessageSender {
        MessageSender(
            storage: storage, facts: ServiceStack.facts(storage), push: push,
            configuration: SendConfiguration(),
            activity: SendActivity(metrics: NOOPMetricsHandler.instance))
    }

    @Test("Messages that do not wait for one another keep their order, and are pushed once each")
    func order() async throws {
        let model = ModelStore()
        let pushes = RecordedPushes()
        let appends = try Self.appends(2_000, mailboxes: 7)
        try await ServiceStack.with(model, push: pushes) { stack in
            let outcomes = await stack.send.sendAll(appends)
            for (append, outcome) in zip(appends, outcomes) {
                // One device, one mailbox: the sequence is the client sequence, unless one
                // overtook another.
                let result = try outcome.get()
                #expect(result.sequence == append.producer?.clientSequence)
            }
        }
        let epoch = try await model.epoch
        let byMailbox = Dictionary(grouping: pushes.all, by: \.mailbox)
        #expect(byMailbox.count == 7)
        for pushes in byMailbox.values {
            #expect(pushes.map(\.sequence) == Array(1...SequenceNumber(pushes.count)))
            #expect(pushes.allSatisfy { $0.epoch == epoch })
        }
        #expect(pushes.all.count == appends.count)
    }

    @Test("Answers that are lost between SendSrv and the store are settled: one sequence each")
    func lostAnswers() async throws {
        let model = ModelStore()
        let storage = ForgetfulStorage(model, every: 3)
        let appends = try Self.appends(1_500, mailboxes: 5)
        let outcomes = try await ServiceStack.with(storage) { stack in
            await stack.send.sendAll(appends)
        }
        for (append, outcome) in zip(appends, outcomes) {
            let result = try outcome.get()
            #expect(result.sequence == append.producer?.clientSequence)
        }
        #expect(storage.lost > 0)
        for number in 0..<5 {
            let head = try await model.head(MailboxID(sender: "alice", receiver: "b\(number)"))
            #expect(head.max == 300)
        }
    }

    @Test("When one of two instances ends, the other one goes on, and nothing is lost or doubled")
    func failover() async throws {
        let model = ModelStore()
        let appends = try Self.appends(4_000, mailboxes: 5)
        let outcomes = try await ServiceStack.with(model, sendCount: 2) { stack in
            let first = await stack.send.sendAll(Array(appends[..<1_000]))
            async let second = stack.send.sendAll(Array(appends[1_000..<2_000]))
            stack.sendServers[0].beginDraining()
            let middle = await second
            return first + middle + (await stack.send.sendAll(Array(appends[2_000...])))
        }
        for (append, outcome) in zip(appends, outcomes) {
            let result = try outcome.get()
            #expect(result.sequence == append.producer?.clientSequence)
        }
    }

    @Test("What is pushed is what a fetch brings, its time and epoch included, also over gRPC")
    func asFetched() async throws {
        let clock = ManualClock()
        let model = ModelStore(configuration: ModelStore.Configuration(clock: clock))
        let pushes = RecordedPushes()
        let appends = try Self.appends(30, mailboxes: 3)
        let fetched = try await ServiceStack.with(model, push: pushes) { stack in
            for append in appends {
                // The store's clock is not this machine's, and goes back now and then.
                clock.advance(Int64(append.body.count % 7) * 40 - 100)
                _ = try await stack.send.send(append)
            }
            var pages: [MailboxID: FetchResult] = [:]
            for mailbox in Set(appends.map(\.mailbox)) {
                pages[mailbox] = try await stack.receive.fetch(
                    mailbox, cursor: .zero, limit: .standard)
            }
            return pages
        }
        #expect(pushes.all.count == appends.count)
        for push in pushes.all {
            guard case .message(let message) = push.content else {
                Issue.record("a small message is pushed itself")
                continue
            }
            let page = try #require(fetched[push.mailbox])
            #expect(page.epoch == push.epoch)
            #expect(page.messages.first { $0.sequence == message.sequence } == message)
        }
    }

    @Test("A duplicate is pushed again: the push may have been lost with the first answer")
    func duplicates() async throws {
        let model = ModelStore()
        let pushes = RecordedPushes()
        let sender = Self.sender(model, pushes)
        let append = try Self.appends(1, mailboxes: 1)[0]
        #expect(try await sender.send(append).isDuplicate == false)
        #expect(try await sender.send(append).isDuplicate)
        await sender.drain()
        #expect(pushes.all.map(\.sequence) == [1, 1])
        // Its time is the store's secret until it is fetched, so it is not pushed itself.
        #expect(pushes.all.last?.content == .notice(max: 1))
    }

    @Test("A large body is not pushed, but a notice is")
    func large() async throws {
        let pushes = RecordedPushes()
        let sender = Self.sender(ModelStore(), pushes)
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        _ = try await sender.send(
            Append(mailbox, body: [UInt8](repeating: 7, count: (16 << 10) + 1)))
        _ = try await sender.send(Append(mailbox, body: [UInt8](repeating: 7, count: 16 << 10)))
        await sender.drain()
        #expect(pushes.all.first?.content == .notice(max: 1))
        guard case .message(let message) = pushes.all.last?.content else {
            Issue.record("a body at the limit is pushed")
            return
        }
        #expect(message.sequence == 2 && message.body.count == 16 << 10)
    }

    @Test("A push names the epoch of the store that took the message, also when that is replaced")
    func replaced() async throws {
        let model = ModelStore()
        let pushes = RecordedPushes()
        let sender = Self.sender(model, pushes)
        let appends = try Self.appends(2, mailboxes: 1)
        let epochs = [try await model.epoch, .mint()]
        _ = try await sender.send(appends[0])
        model.modify { $0.epoch = epochs[1] }
        _ = try await sender.send(appends[1])
        await sender.drain()
        #expect(pushes.all.map(\.epoch) == epochs)
    }

    @Test("What finds no room is refused at once, and the rest goes on")
    func overload() async throws {
        let model = ModelStore()
        var configuration = SendConfiguration()
        configuration.lanes = 1
        configuration.waitingBytesMaximum = 10_000
        let (begin, mayBegin) = AsyncStream.makeStream(of: Void.self)
        let sender = MessageSender(
            storage: ForgetfulStorage(model, begin: begin), facts: ServiceStack.facts(model),
            push: NoPush(), configuration: configuration,
            activity: SendActivity(metrics: NOOPMetricsHandler.instance))
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let (outcomes, answered) = AsyncStream.makeStream(
            of: Result<AppendResult, StoreError>.self)
        for _ in 0..<100 {
            sender.send(Append(mailbox, body: [UInt8](repeating: 1, count: 4_000))) {
                answered.yield($0)
            }
        }
        // The store has taken none: those that have no room know it.
        mayBegin.finish()
        var stored = 0
        var count = 0
        for await outcome in outcomes {
            count += 1
            switch outcome {
            case .success: stored += 1
            case .failure(let error): #expect(error.code == .overloaded)
            }
            if count == 100 { break }
        }
        #expect(stored == 2)
        #expect(try await model.head(mailbox).max == SequenceNumber(stored))
        await sender.drain()
        await #expect(throws: StoreError.self) {
            try await sender.send(Append(mailbox, text: "late"))
        }
    }
}

/// Keeps what it is told.
final class RecordedPushes: PushNotifying {
    private let pushes: Mutex<[Push]> = Mutex([])
    private let losses = Atomic<Int>(0)

    /// How often it was told that something was lost.
    var lossCount: Int { losses.load(ordering: .relaxed) }
    var all: [Push] { pushes.withLock { $0 } }

    func notify(_ push: Push) { pushes.withLock { $0.append(push) } }

    func noteLoss() { losses.wrappingAdd(1, ordering: .relaxed) }
}
