import Foundation
import Mailbox
import StoreAPI
import Testing

@Suite("A client without a server")
struct UnreachableTests {
    private static func configuration() -> StoreClientConfiguration {
        let path = "\(NSTemporaryDirectory())/nobody-\(UUID().uuidString)"
        var configuration = StoreClientConfiguration(.unixSocket(path: path))
        configuration.connectTimeout = .milliseconds(200)
        configuration.callTimeout = .milliseconds(500)
        configuration.backoffInitial = .milliseconds(5)
        configuration.backoffMaximum = .milliseconds(20)
        return configuration
    }

    private func code(_ body: () async throws -> Void) async -> StoreError.Code? {
        do {
            try await body()
            return nil
        } catch {
            return (error as? StoreError)?.code
        }
    }

    @Test("Every verb is unavailable when its time is over")
    func unavailable() async throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let phone = Producer(device: try DeviceID("phone"), clientSequence: 1)
        try await withStoreClient(Self.configuration()) { client in
            let verbs: [@Sendable () async throws -> Void] = [
                { _ = try await client.append(Append(mailbox, text: "a")) },
                { _ = try await client.append(Append(mailbox, producer: phone, text: "a")) },
                { _ = try await client.append(batch: [Append(mailbox, text: "a")]) },
                { _ = try await client.append(atomically: [Append(mailbox, text: "a")]) },
                { _ = try await client.fetch(mailbox, cursor: .zero, limit: .standard) },
                { _ = try await client.head(mailbox) },
                { _ = try await client.epoch },
                { _ = try await client.watch([mailbox.receiver]) },
                { _ = try await client.compact(nil) },
                { _ = try await client.verify() },
            ]
            await withTaskGroup(of: StoreError.Code?.self) { group in
                for verb in verbs { group.addTask { await code(verb) } }
                for await code in group { #expect(code == .unavailable) }
            }
        }
    }

    @Test("What can never be accepted is refused without a server")
    func invalid() async throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        try await withStoreClient(Self.configuration()) { client in
            let nothing = PageLimit(messages: 0)
            let verbs: [@Sendable () async throws -> Void] = [
                { _ = try await client.fetch(mailbox, cursor: .zero, limit: nothing) },
                { _ = try await client.read(mailbox, after: 0, through: nil, limit: nothing) },
                { _ = try await client.sync(mailbox.receiver, cursors: [:], limit: nothing) },
                { _ = try await client.inbox(mailbox.receiver, after: nil, limit: 0) },
                { _ = try await client.mailboxes(limit: 10_001) },
            ]
            for verb in verbs {
                let code = await code(verb)
                #expect(code == .invalidArgument)
            }
            let none: [Append] = []
            let answers = try await client.append(batch: none).count
            let results = try await client.append(atomically: none).count
            #expect(answers == 0 && results == 0)
        }
    }

    @Test("A closed client refuses every verb, and runs no second time")
    func closed() async throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let client = try StoreClient(Self.configuration())
        let running = Task { try await client.run() }
        client.close()
        client.close()
        try await running.value
        let verbs: [() async throws -> Void] = [
            { _ = try await client.append(Append(mailbox, text: "a")) },
            { _ = try await client.fetch(mailbox, cursor: .zero, limit: .standard) },
            { _ = try await client.head(mailbox) },
            { _ = try await client.watch([mailbox.receiver]) },
        ]
        for verb in verbs {
            let code = await code(verb)
            #expect(code == .closed)
        }
        let again = await code { try await client.run() }
        #expect(again == .invalidArgument)
    }

    @Test("When its task is cancelled, whoever waits is answered at once")
    func cancelledRun() async throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        var configuration = Self.configuration()
        configuration.connectTimeout = .seconds(3_600)
        configuration.callTimeout = .seconds(3_600)
        let client = try StoreClient(configuration)
        let running = Task { try await client.run() }
        let waiting = Task {
            await code { _ = try await client.append(Append(mailbox, text: "a")) }
        }
        running.cancel()
        #expect(await waiting.value == .closed)
        _ = await running.result
    }

    @Test("A task that is cancelled while it waits hears that nothing was sent")
    func cancelledCall() async throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        var configuration = Self.configuration()
        configuration.connectTimeout = .seconds(3_600)
        configuration.callTimeout = .seconds(3_600)
        try await withStoreClient(configuration) { client in
            let verbs: [@Sendable () async throws -> Void] = [
                { _ = try await client.append(Append(mailbox, text: "a")) },
                { _ = try await client.fetch(mailbox, cursor: .zero, limit: .standard) },
                { _ = try await client.head(mailbox) },
                { _ = try await client.watch([mailbox.receiver]) },
            ]
            for verb in verbs {
                let waiting = Task { await code(verb) }
                waiting.cancel()
                #expect(await waiting.value == .unavailable)
            }
        }
    }

    /// A call that was cancelled just before it queued for a connection waited there for ever, its
    /// caller for it, or the client's end.
    @Test(
        "Who is cancelled on his way to a server that is not there waits no more",
        .timeLimit(.minutes(5)))
    func cancelledOnTheWay() async throws {
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        var configuration = Self.configuration()
        configuration.connectTimeout = .seconds(3_600)
        configuration.callTimeout = .seconds(3_600)
        let settled = configuration
        for number in 0..<600 {
            try await withStoreClient(settled) { client in
                let verbs: [@Sendable () async throws -> Void] = [
                    { _ = try await client.append(Append(mailbox, text: "a")) },
                    { _ = try await client.fetch(mailbox, cursor: .zero, limit: .standard) },
                    { _ = try await client.head(mailbox) },
                    { _ = try await client.watch([mailbox.receiver]) },
                ]
                for place in verbs.indices {
                    let verb = verbs[(place + number) % verbs.count]
                    let waiting = Task { await code(verb) }
                    // Sooner or later on the client's way to a connection.
                    for _ in 0..<number % 20 { await Task.yield() }
                    waiting.cancel()
                    #expect(await waiting.value == .unavailable)
                }
            }
        }
    }

    @Test("A target or TLS files that are none are refused")
    func badConfiguration() async throws {
        var configuration = Self.configuration()
        var tls = StoreClientConfiguration.TLS()
        tls.trustedCertificatesPath = "/nowhere/at/all.pem"
        configuration.tls = tls
        let code = await code { _ = try StoreClient(configuration) }
        #expect(code == .invalidArgument)
    }
}
