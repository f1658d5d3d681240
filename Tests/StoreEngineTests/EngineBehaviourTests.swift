import Mailbox
import MailboxTesting
import StoreEngine
import Synchronization
import Testing

@Suite("The engine behaves as the contract says", .serialized)
struct EngineBehaviourTests {
    private static func fixture(
        _ options: Fixture.Options, _ change: (inout StoreConfiguration) -> Void
    ) throws -> Fixture {
        let scratch = try Scratch()
        let clock = ManualClock()
        var configuration = StoreConfiguration.tiny(clock: clock)
        configuration.retention = options.retention
        change(&configuration)
        let path = scratch.file("store")
        let settled = configuration
        let store = try MailboxStore.open(at: path, configuration: settled)
        let current = Mutex(store)
        var fixture = Fixture(
            store: store, messageBytesMaximum: configuration.messageBytesMaximum,
            batchMessagesMaximum: configuration.batchMessagesMaximum,
            tearDown: {
                try? current.withLock { $0 }.close()
                _ = scratch
            })
        fixture.clock = clock
        fixture.seed = { try store.beginMailbox($0, at: $1) }
        fixture.close = { try store.close() }
        fixture.reopen = {
            try store.close()
            let reopened = try MailboxStore.open(at: path, configuration: settled)
            current.withLock { $0 = reopened }
            return reopened
        }
        fixture.restore = {
            _ = try store.backup(to: scratch.file("backup"))
            try store.close()
            let place = scratch.file("restored")
            _ = try MailboxStore.restore(
                from: scratch.file("backup"), to: place, configuration: settled)
            let restored = try MailboxStore.open(at: place, configuration: settled)
            current.withLock { $0 = restored }
            return restored
        }
        return fixture
    }

    @Test("Everything tiny", arguments: BehaviourSuite.cases)
    func tiny(_ behaviour: BehaviourCase) async throws {
        let outcome = try await behaviour.run { options in try Self.fixture(options) { _ in } }
        #expect(outcome == .passed, "nothing is skipped")
    }

    @Test("No checkpoint until it is asked for", arguments: BehaviourSuite.cases)
    func noCheckpoints(_ behaviour: BehaviourCase) async throws {
        try await behaviour.run { options in
            try Self.fixture(options) { configuration in
                configuration.checkpointIntervalMilliseconds = 3_600_000
                configuration.checkpointJournalBytes = 64 << 20
                configuration.tailBytesMaximum = 64 << 20
                configuration.headCacheMaximum = 1_024
            }
        }
    }

    @Test("After a crash where the suite would close", arguments: BehaviourSuite.cases)
    func crash(_ behaviour: BehaviourCase) async throws {
        // Acknowledgements may be lost in a crash, so only what does not look at them afterwards.
        guard behaviour.name == "reopen: the numbering of devices goes on" else { return }
        try await behaviour.run { options in
            var fixture = try Self.fixture(options) { _ in }
            let store = try engine(fixture.store)
            fixture.reopen = {
                store.abandon()
                return try MailboxStore.open(
                    at: store.path, configuration: store.configuration)
            }
            return fixture
        }
    }
}
