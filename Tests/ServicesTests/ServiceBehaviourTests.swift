import Foundation
import Mailbox
import MailboxTesting
import StoreAPI
import StoreEngine
import Testing

/// One case at a time: each has servers and clients of its own, and calls wait for a connection
/// only so long.
@Suite("The contract through SendSrv and RecvSrv", .serialized)
struct ServiceBehaviourTests {
    @Test("In front of the model", arguments: BehaviourSuite.cases)
    func model(_ behaviour: BehaviourCase) async throws {
        try await Self.run(behaviour) { Fixture.model($0) }
    }

    @Test("In front of an engine", arguments: BehaviourSuite.cases)
    func engine(_ behaviour: BehaviourCase) async throws {
        try await Self.run(behaviour) { options in
            let path = "\(NSTemporaryDirectory())/services-\(UUID().uuidString)"
            var configuration = StoreConfiguration()
            configuration.messageBytesMaximum = 70_000
            configuration.batchMessagesMaximum = 500
            configuration.retention = options.retention
            configuration.journalSegmentBytes = 1 << 20
            configuration.mapBytesInitial = 64 << 20
            let store = try MailboxStore.open(at: path, configuration: configuration)
            return Fixture(
                store: store, messageBytesMaximum: 70_000, batchMessagesMaximum: 500,
                tearDown: {
                    try? store.close()
                    try? FileManager.default.removeItem(atPath: path)
                })
        }
    }

    /// Runs a case with services around the fixture's store. Their levers would need another store
    /// behind them, and are left out, but for the clock and the seed.
    private static func run(
        _ behaviour: BehaviourCase,
        _ make: @escaping @Sendable (Fixture.Options) async throws -> Fixture
    ) async throws {
        try await behaviour.run { options in
            let inner = try await make(options)
            let ready = Handover<ServiceStack>()
            let over = Handover<Void>()
            let serving = Task {
                try await ServiceStack.with(inner.store) { stack in
                    ready.give(stack)
                    await over.value
                }
            }
            var fixture = Fixture(
                store: ServedStorage(stack: await ready.value, behind: inner.store),
                messageBytesMaximum: inner.messageBytesMaximum,
                batchMessagesMaximum: inner.batchMessagesMaximum,
                tearDown: {
                    over.give(())
                    try? await serving.value
                    await inner.tearDown()
                })
            fixture.clock = inner.clock
            fixture.seed = inner.seed
            return fixture
        }
    }
}
