import Mailbox
import MailboxTesting
import Synchronization
import Testing

@Suite("Random operations against the model")
struct ModelDriverTests {
    private static let retentions: [RetentionPolicy] = [
        .unacknowledged, .newest(5), .newest(.max), .acknowledged(forMilliseconds: 5_000),
    ]

    /// A model as the subject: it forgets acknowledgements in a crash, and trims at checkpoints.
    @Sendable
    private static func subject(
        seed: UInt64, wrap: @escaping @Sendable (ModelStore) -> any MailboxStorage = { $0 }
    ) -> Subject {
        let clock = ManualClock()
        var configuration = ModelStore.Configuration(clock: clock)
        configuration.messageBytesMaximum = 3_000
        configuration.batchMessagesMaximum = 110
        configuration.pageMessagesMaximum = 40
        configuration.pageBytesMaximum = 4_000
        configuration.retention = retentions[Int(seed % UInt64(retentions.count))]
        let model = ModelStore(configuration: configuration)
        let durable = Mutex<[MailboxID: SequenceNumber]>([:])
        let keep: @Sendable () -> Void = {
            let acknowledged = model.inspect { $0.mailboxes.mapValues(\.acknowledged) }
            durable.withLock { $0 = acknowledged }
        }
        var subject = Subject(store: wrap(model), configuration: configuration, clock: clock)
        subject.checkpoint = { _ in _ = try await model.compact(nil) }
        subject.restart = { store in
            model.close()
            model.reopen()
            keep()
            return store
        }
        subject.crash = { store in
            let durable = durable.withLock { $0 }
            model.modify { state in
                for (mailbox, content) in state.mailboxes {
                    let least = max(content.floor, durable[mailbox] ?? 0)
                    state.mailboxes[mailbox]?.forgetAcknowledgements(
                        above: least + (content.acknowledged - least) / 2)
                }
            }
            keep()
            return store
        }
        subject.restore = { store in
            model.modify { $0.epoch = .mint() }
            keep()
            return store
        }
        return subject
    }

    @Test("The model answers as the model", arguments: 0..<200 as Range<UInt64>)
    func agrees(seed: UInt64) async throws {
        try await DriverRun(seed: seed, count: 150) { Self.subject(seed: $0) }.check()
    }

    /// Those that only a watcher, a closed store or a look at time and again can notice.
    private static let unseen: Set<Defect> = [
        .watchIsDeaf, .watchNeverCatchesUp, .watchHearsNothingLive, .isOpenWhenClosed,
        .changesALongBody, .inboxListsOthers,
    ]

    @Test(
        "The driver notices a store that breaks the contract",
        arguments: Defect.allCases.filter { !unseen.contains($0) })
    func notices(_ defect: Defect) async {
        for seed in 0..<60 as Range<UInt64> {
            let run = DriverRun(seed: seed, count: 150) { seed in
                Self.subject(seed: seed) { DefectiveStore(model: $0, defect: defect) }
            }
            do {
                try await run.check(attempts: 0)
            } catch {
                return
            }
        }
        Issue.record("no seed noticed \(defect)")
    }

    @Test("The driver notices acknowledgements that a crash made up")
    func noticesInventedAcknowledgements() async {
        await #expect(throws: DriverFailure.self) {
            for seed in 0..<60 as Range<UInt64> {
                let run = DriverRun(seed: seed, count: 150) { seed in
                    var subject = Self.subject(seed: seed)
                    subject.crash = { store in
                        (store as? ModelStore)?.modify { state in
                            for (mailbox, content) in state.mailboxes {
                                state.mailboxes[mailbox]?.acknowledge(through: content.max)
                            }
                        }
                        return store
                    }
                    return subject
                }
                try await run.check(attempts: 0)
            }
        }
    }

    @Test(
        "Reads that fail behind the last operation are a crash where they may, else a failure",
        arguments: [true, false])
    func readsFailAtTheEnd(mayFail: Bool) async throws {
        let run = DriverRun(seed: 267_494, count: 0) { seed in
            var subject = Self.subject(seed: seed)
            let isBroken = Mutex(true)
            subject.readsMayFail = mayFail
            subject.verify = { _ in
                if isBroken.withLock({ $0 }) { throw StoreError(code: .failed, message: "broken") }
            }
            subject.crash = { store in
                isBroken.withLock { $0 = false }
                return store
            }
            return subject
        }
        if mayFail {
            try await run.check(attempts: 0)
        } else {
            await #expect(throws: DriverFailure.self) { try await run.check(attempts: 0) }
        }
    }

    @Test("A failing list of operations is shortened to what it needs")
    func minimises() async throws {
        let run = DriverRun(seed: 3, count: 150) { seed in
            Self.subject(seed: seed) {
                DefectiveStore(model: $0, defect: .compactionForgetsDevices)
            }
        }
        let failure = await #expect(throws: DriverFailure.self) {
            try await run.check(attempts: 400)
        }
        // An append with a number, its confirmation, compaction, and a look.
        #expect((failure?.operations.count ?? .max) <= 8)
        #expect(failure?.description.contains("seed 3") == true)
    }
}
