import Logging
import Mailbox
import MailboxTesting
import Metrics
import ServiceHost
import StoreAPI
import Testing

@testable import PushSrv

@Suite("Two PushSrv and two ConnectSrv", .serialized, .timeLimit(.minutes(2)))
struct TwoByTwoTests {
    /// Two PushSrv over gRPC, and a client of both; each has a registry of its own.
    private static func with<Answer: Sendable>(
        _ world: PushWorld, _ providers: PushProviders = PushProviders(),
        _ body: @escaping @Sendable (PushClient, [PushHub]) async throws -> Answer
    ) async throws -> Answer {
        var hubs: [PushHub] = []
        for number in 0..<2 {
            var configuration = world.configuration()
            configuration.registryPath = world.file("registry-\(number).sqlite")
            // Each would look on its own for what is owed, and notify of it beside the other.
            configuration.recoveryDelay = .seconds(3_600)
            hubs.append(try await world.hub(providers, configuration))
        }
        let settled = hubs
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let servers = hubs.map { hub in
            var host = HostConfiguration()
            host.endpoint = .init(host: "127.0.0.1", port: 0)
            return PushServer(
                hub: hub, configuration: host,
                activity: PushActivity(metrics: NOOPMetricsHandler.instance), logger: logger)
        }
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for server in servers { group.addTask { try await server.run() } }
            let working = hubs.map { hub in Task { await hub.run() } }
            var targets: [StoreClientConfiguration] = []
            for server in servers {
                guard case .tcp(let host, let port) = try await server.addresses.first else {
                    throw StoreError(code: .failed, message: "no port was bound")
                }
                var configuration = StoreClientConfiguration(.tcp(host: host, port: port))
                configuration.backoffInitial = .milliseconds(5)
                targets.append(configuration)
            }
            let client = try PushClient(targets)
            group.addTask { try await client.run() }
            let result: Result<Answer, any Error>
            do {
                result = .success(try await body(client, settled))
            } catch {
                result = .failure(error)
            }
            client.close()
            for server in servers { server.beginDraining() }
            try await group.waitForAll()
            for task in working {
                task.cancel()
                await task.value
            }
            return try result.get()
        }
    }

    @Test("A push through either PushSrv reaches the sessions of its account, and no others")
    func pushes() async throws {
        let world = try PushWorld()
        try await Self.with(world) { client, hubs in
            let carol = try Address("carol")
            let inboxes = [Inbox(), Inbox()]
            let attachments = [
                client.attach("connect-1") { inboxes[0].addMessage($0) },
                client.attach("connect-2") { inboxes[1].addMessage($0) },
            ]
            func online(_ place: Int, _ account: Address, _ session: UInt64) {
                attachments[place].report(
                    PresenceChange(
                        account: account, device: world.phone, session: session, isOnline: true))
            }
            online(0, world.bob, 1)
            online(1, world.bob, 1)
            online(1, carol, 2)
            let epoch = try await world.model.epoch
            // Straight to each hub, until both know all three sessions.
            for hub in hubs {
                for await _ in Polling() where hub.sessions == 3 { break }
                try await world.store(notifying: hub)
            }
            let toBob = await inboxes[0].pushes(2)
            #expect(toBob.map(\.sequence).sorted() == [1, 2])
            _ = await inboxes[1].pushes(2)
            let toCarol = Push(
                mailbox: MailboxID(sender: world.bob, receiver: carol), epoch: epoch,
                content: .message(
                    Message(sequence: 9, timestampMilliseconds: 1, body: [1])))
            client.notify(toCarol)
            #expect(await inboxes[1].pushes(3).last == toCarol)
            // The other instance has none of Carol's.
            #expect(inboxes[0].all.allSatisfy { $0.mailbox.receiver == world.bob })
            // Offline: nothing comes any more; the next push is seen by the one who is left.
            attachments[1].report(
                PresenceChange(account: world.bob, device: world.phone, session: 1, isOnline: false)
            )
            for hub in hubs { for await _ in Polling() where hub.sessions == 2 { break } }
            try await world.store(notifying: client)
            _ = await inboxes[0].pushes(3)
            #expect(inboxes[1].all.count == 3)
            for attachment in attachments { attachment.detach() }
            for hub in hubs { for await _ in Polling() where hub.sessions == 0 { break } }
        }
    }

    /// A call that was cancelled just before it queued for a connection waited for one, and there
    /// was none any more: the client never ended.
    @Test("A client that is closed at once ends, whatever its calls wait for")
    func closedAtOnce() async throws {
        for round in 0..<40 {
            let world = try PushWorld()
            try await Self.with(world) { client, _ in
                let attachment = client.attach("connect") { _ in }
                // Now at once, now a little later: the calls are anywhere on their way.
                for _ in 0..<round % 4 { try await world.store(notifying: nil) }
                attachment.detach()
            }
        }
    }

    @Test("A registration is kept by both, and taken back from both")
    func registrations() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        try await Self.with(world, world.apns(service)) { client, _ in
            try await client.register(try world.registration())
            for number in 0..<2 {
                let registry = try DeviceRegistry(path: world.file("registry-\(number).sqlite"))
                #expect(try await registry.count() == 1)
                registry.close()
            }
            try await world.store(notifying: client)
            #expect(await service.requests(1).count == 1)
            try await client.unregister(world.bob, device: world.phone)
            let registry = try DeviceRegistry(path: world.file("registry-1.sqlite"))
            #expect(try await registry.count() == 0)
            registry.close()
            await #expect(throws: StoreError.self) {
                try await client.register(try world.registration("not hexadecimal"))
            }
            await #expect(throws: StoreError.self) {
                try await client.register(try world.registration("x", service: .fcm))
            }
        }
        await service.stop()
    }

    @Test("What was stored while nobody was attached is announced to those who attach again")
    func reattached() async throws {
        let world = try PushWorld()
        try await world.store(3)
        try await Self.with(world) { client, _ in
            let inbox = Inbox()
            // Reported before there is a connection: the attachment begins with it.
            let attachment = client.attach("connect-1") { inbox.add($0) }
            attachment.report(
                PresenceChange(account: world.bob, device: world.phone, session: 1, isOnline: true))
            // By each PushSrv once, whichever is told in time; the others hear nothing wrong.
            try await world.store(notifying: nil)
            attachment.detach()
            let second = client.attach("connect-2") { inbox.add($0) }
            second.detach()
        }
        // In process, where the order is known.
        let hub = try await world.hub(PushProviders())
        try await world.running(hub) {
            let inbox = Inbox()
            let attachment = hub.attach("connect-3") { inbox.add($0) }
            attachment.report(
                PresenceChange(account: world.bob, device: world.phone, session: 1, isOnline: true))
            hub.lookFor([world.bob])
            let push = await inbox.pushes(1)[0]
            #expect(push.content == .notice(max: 4))
            attachment.detach()
        }
    }
}

/// Goes on until a condition holds: each turn lets others run.
private struct Polling: AsyncSequence, AsyncIteratorProtocol {
    func makeAsyncIterator() -> Polling { self }

    mutating func next() async -> Void? {
        await Task.yield()
        return ()
    }
}

extension PushHub {
    /// Sessions that are known to be online.
    fileprivate var sessions: Int { sessionCount }
}
