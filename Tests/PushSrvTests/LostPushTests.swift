import GRPCCore
import Logging
import Mailbox
import MailboxTesting
import Metrics
import ServiceHost
import SwiftProtobuf
import Synchronization
import Testing

@testable import PushSrv
@testable import StoreAPI

@Suite("Pushes that are lost while PushSrv stays up", .serialized, .timeLimit(.minutes(2)))
struct LostPushTests {
    /// A PushSrv over gRPC, and where it is.
    private static func serving<Answer: Sendable>(
        _ hub: PushHub, _ world: PushWorld,
        _ body: @escaping @Sendable (StoreClientConfiguration) async throws -> Answer
    ) async throws -> Answer {
        var host = HostConfiguration()
        host.endpoint = .init(host: "127.0.0.1", port: 0)
        let server = PushServer(
            hub: hub, configuration: host,
            activity: PushActivity(metrics: NOOPMetricsHandler.instance),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        let serving = Task { try await server.run() }
        return try await world.running(hub) {
            guard case .tcp(let host, let port) = try await server.addresses.first else {
                throw StoreError(code: .failed, message: "no port was bound")
            }
            var target = StoreClientConfiguration(.tcp(host: host, port: port))
            target.backoffInitial = .milliseconds(5)
            let result: Result<Answer, any Error>
            do {
                result = .success(try await body(target))
            } catch {
                result = .failure(error)
            }
            server.beginDraining()
            try await serving.value
            return try result.get()
        }
    }

    /// The newest sequence of each sender to Bob that an instance heard of.
    private final class Heard: Sendable {
        private let newest = Mutex<[Address: SequenceNumber]>([:])

        func note(_ push: Push) {
            newest.withLock { newest in
                let sender = push.mailbox.sender
                newest[sender] = max(newest[sender] ?? 0, push.sequence)
            }
        }

        var isEmpty: Bool { newest.withLock { $0.isEmpty } }

        func waitFor(_ expected: [Address: SequenceNumber]) async {
            while newest.withLock({ $0 != expected }) { await Task.yield() }
        }
    }

    private static func online(_ world: PushWorld, _ attachment: any PushAttachment) {
        attachment.report(
            PresenceChange(account: world.bob, device: world.phone, session: 1, isOnline: true))
    }

    /// An attachment that is complete, with somebody else online: who comes later is no part of
    /// what is looked at when it begins.
    private static func attached(
        _ client: PushClient, _ hub: PushHub, _ world: PushWorld,
        deliver: @escaping @Sendable (Push) -> Void
    ) async throws -> any PushAttachment {
        let attachment = client.attach("connect-1", deliver: deliver)
        attachment.report(
            PresenceChange(
                account: try Address("carol"), device: world.phone, session: 7, isOnline: true))
        while hub.sessionCount != 1 { await Task.yield() }
        return attachment
    }

    /// Stores a message of each of so many senders, and then another, and says what is newest.
    private static func store(
        _ world: PushWorld, senders: Int, notifying push: any PushNotifying
    ) async throws -> [Address: SequenceNumber] {
        var newest: [Address: SequenceNumber] = [:]
        for round in 1...2 {
            for number in 0..<senders {
                try await world.store(from: "s\(number)", notifying: push)
                newest[try Address("s\(number)")] = SequenceNumber(round)
            }
        }
        return newest
    }

    /// - Parameters:
    ///   - waiting: pushes that a SendSrv may hold.
    ///   - senders: with more than that, some leave no mark, and the heads are looked at.
    @Test(
        "What found no room in SendSrv is announced once there is some, without a further message",
        arguments: [(8, 10), (3, 40)])
    func inSendSrv(waiting: Int, senders: Int) async throws {
        let world = try PushWorld()
        let hub = try await world.hub(PushProviders())
        try await Self.serving(hub, world) { target in
            let connect = try PushClient([target])
            let send = try PushClient([target], pushesWaitingMaximum: waiting)
            let connected = Task { try await connect.run() }
            let heard = Heard()
            let attachment = try await Self.attached(connect, hub, world) { heard.note($0) }
            Self.online(world, attachment)
            while hub.sessionCount != 2 { await Task.yield() }
            // Nobody takes them yet: most find no room.
            let newest = try await Self.store(world, senders: senders, notifying: send)
            #expect(send.droppedCount == UInt64(2 * senders - waiting))
            let sending = Task { try await send.run() }
            await heard.waitFor(newest)
            attachment.detach()
            connect.close()
            send.close()
            try await connected.value
            try await sending.value
        }
    }

    @Test("A message that passes while its receiver's presence is on its way is announced")
    func newcomer() async throws {
        let world = try PushWorld()
        let hub = try await world.hub(PushProviders())
        try await Self.serving(hub, world) { target in
            let connect = try PushClient([target])
            let connected = Task { try await connect.run() }
            let heard = Heard()
            let attachment = try await Self.attached(connect, hub, world) { heard.note($0) }
            try await world.store(3, notifying: hub)
            Self.online(world, attachment)
            await heard.waitFor([try Address("alice"): 3])
            attachment.detach()
            connect.close()
            try await connected.value
        }
    }

    @Test("Heads that cannot be looked up are looked up again")
    func unavailable() async throws {
        let world = try PushWorld()
        let receiver = FlakyReceiver(StorageReceiver(world.model), failures: 1)
        let hub = try await PushHub(
            receiver: receiver, providers: PushProviders(), configuration: world.configuration(),
            activity: PushActivity(metrics: NOOPMetricsHandler.instance),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        try await world.store(2)
        try await world.running(hub) {
            let heard = Heard()
            let attachment = hub.attach("connect-1") { heard.note($0) }
            Self.online(world, attachment)
            hub.lookFor([world.bob])
            await heard.waitFor([try Address("alice"): 2])
            #expect(receiver.failuresLeft == 0)
            attachment.detach()
        }
    }

    @Test("Registered devices whose messages found no room are notified from the heads")
    func notifications() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        var configuration = world.configuration()
        configuration.pushesWaitingMaximum = 2
        // Not by the look behind the start.
        configuration.recoveryDelay = .seconds(3_600)
        let hub = try await world.hub(world.apns(service), configuration)
        let epoch = try await world.model.epoch
        var tokens: Set<String> = []
        for number in 10..<30 {
            let account = try Address("account\(number)")
            try await hub.register(
                PushRegistration(
                    account: account, device: world.phone, service: .apns, token: "ab\(number)"))
            tokens.insert("ab\(number)")
            let mailbox = MailboxID(sender: try Address("alice"), receiver: account)
            _ = try await world.model.append(Append(mailbox, text: "hello"))
            hub.notify(Push(mailbox: mailbox, epoch: epoch, content: .notice(max: 1)))
        }
        let settled = tokens
        try await world.running(hub) {
            // The two that found room may be notified again, from the heads.
            var requests = await service.requests(20)
            while Set(requests.map { String($0.path.suffix(4)) }) != settled {
                requests = await service.requests(requests.count + 1)
            }
            #expect(requests.count <= 22)
        }
        await service.stop()
    }

    /// Found by the simulated services.
    @Test("Pushes whose registrations could not be read are not forgotten")
    func registryFails() async throws {
        let world = try PushWorld()
        var configuration = world.configuration()
        // Not by the look behind the start.
        configuration.recoveryDelay = .seconds(3_600)
        let registry = FlakyRegistry(
            try DeviceRegistry(path: configuration.registryPath), failures: 1)
        let provider = RecordingProvider()
        let hub = try world.hub(provider, registry: registry, configuration)
        try await hub.register(try world.registration(service: .webhook))
        try await world.running(hub) {
            try await world.store(notifying: hub)
            await provider.waitFor([world.bob: 1])
            #expect(registry.failuresLeft == 0)
        }
    }

    /// The same few found room each time. Found by the simulated services.
    @Test("However few may be owed something, all are notified in the end")
    func littleRoom() async throws {
        let world = try PushWorld()
        var configuration = world.configuration()
        configuration.owedMaximum = 1
        let provider = RecordingProvider()
        let hub = try world.hub(provider, configuration)
        var expected: [Address: Int] = [:]
        for number in 0..<5 {
            let account = try Address("account\(number)")
            try await hub.register(
                PushRegistration(
                    account: account, device: world.phone, service: .webhook, token: "token"))
            let mailbox = MailboxID(sender: try Address("alice"), receiver: account)
            _ = try await world.model.append(Append(mailbox, text: "hello"))
            expected[account] = 1
        }
        let settled = expected
        try await world.running(hub) { await provider.waitFor(settled) }
    }

    /// A message that is stored and pushed by nobody, and how PushSrv hears that there may be one.
    enum Lost: CaseIterable { case sendBreaksOff, sendBegins }

    /// Found by the simulated services.
    @Test(
        "What a SendSrv stored and took with it is found, for who is online and for who is not",
        arguments: Lost.allCases)
    func sendDies(_ lost: Lost) async throws {
        let world = try PushWorld()
        var configuration = world.configuration()
        configuration.recoveryDelay = .seconds(3_600)
        let provider = RecordingProvider()
        let hub = try world.hub(provider, configuration)
        let carol = try Address("carol")
        try await hub.register(
            PushRegistration(
                account: carol, device: world.phone, service: .webhook, token: "token"))
        try await Self.serving(hub, world) { target in
            let heard = Heard()
            let attachment = hub.attach("connect-1") { heard.note($0) }
            Self.online(world, attachment)
            _ = try await world.model.append(
                Append(MailboxID(sender: world.bob, receiver: carol), text: "hello"))
            try await world.store(2)
            switch lost {
            case .sendBreaksOff: try await Self.breakOff(hub, try await world.store(from: "dave"))
            case .sendBegins:
                let send = try PushClient([target])
                send.noteLoss()
                let sending = Task { try await send.run() }
                await heard.waitFor([try Address("alice"): 2])
                send.close()
                try await sending.value
            }
            await heard.waitFor(
                lost == .sendBegins
                    ? [try Address("alice"): 2]
                    : [try Address("alice"): 2, try Address("dave"): 1])
            await provider.waitFor([carol: 1])
            attachment.detach()
        }
    }

    /// A call that brings pushes, and whose connection breaks then.
    private static func breakOff(_ hub: PushHub, _ pushes: [Push]) async throws {
        let activity = PushActivity(metrics: NOOPMetricsHandler.instance)
        let service = PushService(
            core: PushCore(
                hub: hub, configuration: HostConfiguration(), lifecycle: ServerLifecycle(),
                activity: activity,
                logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }))
        let (requests, arrived) = AsyncThrowingStream.makeStream(
            of: Wire.NotifyRequest.self, throwing: (any Error).self)
        arrived.yield(.with { $0.pushes = pushes.map { Wire.Push($0) } })
        arrived.finish(throwing: RPCError(code: .unavailable, message: "the connection broke"))
        await #expect(throws: RPCError.self) {
            try await service.notify(
                RPCAsyncSequence(wrapping: requests), RPCWriter(wrapping: NoAnswers()))
        }
    }

    @Test("A SendSrv that ends in good order hands over what waits")
    func sendEnds() async throws {
        let world = try PushWorld()
        let hub = try await world.hub(PushProviders())
        try await Self.serving(hub, world) { target in
            let heard = Heard()
            let attachment = hub.attach("connect-1") { heard.note($0) }
            Self.online(world, attachment)
            // As long as it takes.
            let send = try PushClient([target], closingMaximum: .seconds(3_600))
            let first = try #require(try await world.store(notifying: send).first)
            let many = SequenceNumber(2)...30_000
            for sequence in many {
                let message = Message(
                    sequence: sequence, timestampMilliseconds: 1,
                    body: [UInt8](repeating: 7, count: 300)[...])
                send.notify(
                    Push(mailbox: first.mailbox, epoch: first.epoch, content: .message(message)))
            }
            let sending = Task { try await send.run() }
            while heard.isEmpty { await Task.yield() }
            send.close()
            try await sending.value
            await heard.waitFor([first.mailbox.sender: many.upperBound])
            attachment.detach()
        }
    }

    @Test("What was pushed lately goes back far enough, or says that it does not")
    func recent() throws {
        let start = ContinuousClock.now
        var recent = RecentPushes(now: start, countMaximum: 4)
        let bob = try Address("bob")
        func push(_ sender: Int, _ sequence: SequenceNumber) throws -> Push {
            Push(
                mailbox: MailboxID(sender: try Address("s\(sender)"), receiver: bob),
                epoch: try #require(Epoch(rawValue: 1)), content: .notice(max: sequence))
        }
        recent.note(try push(1, 5), now: start)
        recent.note(try push(1, 4), now: start)
        recent.note(try push(2, 1), now: start + .seconds(4))
        #expect(recent.notices(to: bob, now: start + .seconds(4))?.count == 2)
        #expect(
            recent.notices(to: bob, now: start)?.contains { $0.content == .notice(max: 5) } == true)
        // Another generation: the one before still counts, the one before that does not.
        recent.note(try push(3, 1), now: start + .seconds(6))
        #expect(recent.notices(to: bob, now: start + .seconds(6))?.count == 3)
        recent.note(try push(4, 1), now: start + .seconds(12))
        #expect(recent.notices(to: bob, now: start + .seconds(12))?.count == 2)
        // Too much in too short a time.
        for number in 5..<20 { recent.note(try push(number, 1), now: start + .seconds(12)) }
        #expect(recent.notices(to: bob, now: start + .seconds(13)) == nil)
        #expect(recent.notices(to: bob, now: start + .seconds(15)) != nil)
        let nobody = try Address("nobody")
        #expect(recent.notices(to: nobody, now: start + .seconds(15))?.isEmpty == true)
    }
}

/// Nobody reads answers.
private struct NoAnswers: RPCWriterProtocol {
    typealias Element = PushService.Method.Notify.Output

    func write(_ element: Element) async throws {}

    func write(contentsOf elements: some Sequence<Element>) async throws {}
}

/// Heads that cannot be looked up at first.
private final class FlakyReceiver: MessageReceiving {
    private let base: StorageReceiver
    private let failures: Failures

    init(_ base: StorageReceiver, failures: Int) {
        self.base = base
        self.failures = Failures(failures)
    }

    var failuresLeft: Int { failures.left }

    var epoch: Epoch { get async throws(StoreError) { try await base.epoch } }

    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try failures.pass(StoreError(code: .unavailable, message: "not there"))
        return try await base.inbox(receiver, after: after, limit: limit)
    }

    func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await base.fetch(mailbox, cursor: cursor, limit: limit)
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await base.read(mailbox, after: after, through: through, limit: limit)
    }

    func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await base.acknowledge(mailbox, through: cursor)
    }

    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try await base.head(mailbox)
    }

    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try await base.sync(receiver, cursors: cursors, limit: limit)
    }
}
