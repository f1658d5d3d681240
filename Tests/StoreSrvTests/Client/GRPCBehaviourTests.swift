import Mailbox
import MailboxTesting
import StoreAPI
import StoreEngine
import StoreSrv
import Testing

@Suite("The engine behind gRPC behaves as the contract says", .serialized)
struct GRPCBehaviourTests {
    private static func fixture(_ options: Fixture.Options) async throws -> Fixture {
        let clock = ManualClock()
        var configuration = StoreConfiguration.served(clock: clock)
        configuration.retention = options.retention
        let served = try ServedStore(configuration)
        try await served.start()
        let running = try RunningClient(socketPath: served.socketPath)
        let client = running.client
        var fixture = Fixture(
            store: client, messageBytesMaximum: configuration.messageBytesMaximum,
            batchMessagesMaximum: configuration.batchMessagesMaximum,
            tearDown: {
                await running.end()
                await served.remove()
            })
        fixture.clock = clock
        fixture.seed = { try await served.store.beginMailbox($0, at: $1) }
        fixture.close = { client.close() }
        // The same client goes on: it finds the server again by itself.
        fixture.reopen = {
            try await served.restart(asCrash: false)
            return client
        }
        fixture.restore = {
            let copy = served.freshPath()
            _ = try await client.backup(to: copy)
            try await served.restore(from: copy)
            return client
        }
        return fixture
    }

    @Test("Over a Unix socket", arguments: BehaviourSuite.cases)
    func behaves(_ behaviour: BehaviourCase) async throws {
        try await behaviour.run { options in try await Self.fixture(options) }
    }
}
