import ClientWire
import Foundation
import Mailbox
import NIOSSL
import ServerTesting
import SwiftProtobuf
import Testing

@testable import MailboxClient

/// Who a client is to `mailboxd all`: its device, account, tokens, and the server's certificate.
@Suite("Identities at mailboxd", .timeLimit(.minutes(5)))
struct ServerIdentityTests {
    private let bert: Address

    init() throws { bert = try Address("bert") }

    private func send(_ name: String, _ count: Int, _ client: MailboxClient) async throws {
        for number in 1...count {
            let message = try await client.send(Array("\(name) \(number)".utf8), to: bert)
            guard case .accepted = await message.settled() else {
                Issue.record("\(name) \(number) was not accepted")
                return
            }
        }
    }

    private static func firstEvent(
        _ client: MailboxClient, where isWanted: (ClientEvent) -> Bool
    ) async -> ClientEvent? {
        for await event in client.events where isWanted(event) { return event }
        return nil
    }

    @Test("A database that is restored from an old copy goes on under a new name; nothing doubles")
    func restoredCopy() async throws {
        let world = try await ServerWorld.start()
        let manager = FileManager.default
        var client = try world.client("anna")
        await client.start()
        try await send("before", 10, client)
        let oldName = try await client.statistics().device
        try await client.shutdown()
        try manager.createDirectory(
            atPath: world.scratch.file("copy"), withIntermediateDirectories: true)
        let copied = try world.files("anna")
        for file in copied {
            try manager.copyItem(
                atPath: world.scratch.file(file), toPath: world.scratch.file("copy/\(file)"))
        }
        client = try world.client("anna")
        await client.start()
        try await send("after", 5, client)
        #expect(try await client.statistics().device == oldName)
        try await client.shutdown()

        // Beside the files that are there: else the copies may get their numbers.
        for file in copied {
            try manager.copyItem(
                atPath: world.scratch.file("copy/\(file)"),
                toPath: world.scratch.file("copy/\(file).new"))
        }
        for file in try world.files("anna") {
            try manager.removeItem(atPath: world.scratch.file(file))
        }
        for file in copied {
            try manager.moveItem(
                atPath: world.scratch.file("copy/\(file).new"), toPath: world.scratch.file(file))
        }
        client = try world.client("anna")
        await client.start()
        try await send("restored", 5, client)
        #expect(try await client.statistics().device != oldName)
        #expect(
            await Self.firstEvent(client) { $0 == .identityRenewed(.copied) } != nil)
        try await client.shutdown()

        let receiver = try world.client("bert")
        await receiver.start()
        let expected =
            (1...10).map { "before \($0)" } + (1...5).map { "after \($0)" }
            + (1...5).map { "restored \($0)" }
        #expect(try await take(20, from: receiver).map(\.text) == expected)
        #expect(try await receiver.statistics().unconfirmedCount == 0)
        try await receiver.shutdown()
        try await world.stop()
    }

    @Test("A token that has expired is asked for again; one that expires soon, before it does")
    func tokens() async throws {
        let world = try await ServerWorld.start()
        let issuer = world.issuer
        let asked = Shared<[Bool]>([])
        // Expired; then good for a moment; then for an hour.
        let client = try world.client("anna") {
            $0.timing.tokenMarginMilliseconds = 8_000
        } tokens: { isRenewal in
            let count = asked.withLock { asked in
                asked.append(isRenewal)
                return asked.count
            }
            return try issuer.token("anna", lifeSeconds: [-60, 10][safe: count - 1] ?? 3_600)
        }
        await client.start()
        try await send("first", 1, client)
        let short = Date().addingTimeInterval(10)
        try await eventually("a third token is asked for") { asked.withLock { $0.count } >= 3 }
        try await eventually("the second one has expired") { Date() > short }
        try await send("second", 1, client)
        #expect(asked.withLock { $0 } == [false, true, true])
        #expect(try await client.statistics().connectionCount == 1)
        try await client.shutdown()
        try await world.stop()
    }

    @Test("A database of one account is not used with a token of another")
    func wrongAccount() async throws {
        let world = try await ServerWorld.start()
        var client = try world.client("anna")
        await client.start()
        try await send("anna", 1, client)
        try await client.shutdown()
        let issuer = world.issuer
        client = try world.client("anna", tokens: { _ in try issuer.token("carl") })
        let waiting = try await client.send(Array("not carl's".utf8), to: bert)
        await client.start()
        let event = await Self.firstEvent(client) {
            if case .wrongAccount = $0 { true } else { false }
        }
        #expect(event == .wrongAccount(expected: "anna"))
        try await eventually("it stays away") { client.connectionState == .replaced }
        #expect(waiting.state == .saved)
        try await client.shutdown()
        // With its own token it goes on.
        client = try world.client("anna")
        await client.start()
        try await eventually("it is sent") {
            try await client.outgoingState(of: waiting.id) == .accepted(2)
        }
        try await client.shutdown()
        let receiver = try world.client("bert")
        await receiver.start()
        #expect(try await take(2, from: receiver).map(\.peer) == ["anna", "anna"])
        try await receiver.shutdown()
        try await world.stop()
    }

    @Test("A second process with the same device takes over; the first stays away")
    func replaced() async throws {
        let world = try await ServerWorld.start()
        let client = try world.client("anna")
        await client.start()
        try await send("first", 1, client)
        let name = try await client.statistics().device
        let token = try world.issuer.token("anna")
        let (events, continuation) = AsyncStream.makeStream(of: TransportEvent.self)
        let transport = try WebSocketTransport(to: ServerAddress(world.address))
        let other = transport.connect { continuation.yield($0) }
        var iterator = events.makeAsyncIterator()
        guard case .opened = await iterator.next() else {
            Issue.record("the second connection did not open")
            return
        }
        let hello = ClientFrame.with {
            $0.request = 1
            $0.hello = .with {
                $0.token = token
                $0.device = name
            }
        }
        other.send([try hello.serializedBytes()])
        try await eventually("the first connection is ended") {
            client.connectionState == .replaced
        }
        other.close()
        await client.start()
        try await send("again", 1, client)
        try await client.shutdown()
        try await world.stop()
    }

    @Test("wss: with the right certificate; not with an unknown one, or another name's")
    func encrypted() async throws {
        let scratch = try Scratch()
        let (certificate, key) = (scratch.file("certificate.pem"), scratch.file("key.pem"))
        try await Self.makeCertificate(certificate, key)
        let world = try await ServerWorld.start([
            "--connect-certificate", certificate, "--connect-key", key,
        ])
        var tls = TLSConfiguration.makeClientConfiguration()
        tls.trustRoots = .file(certificate)
        let address = "wss://localhost:\(world.port)"
        let client = try world.client("anna", address: address, tls: tls)
        let receiver = try world.client("bert", address: address, tls: tls)
        await client.start()
        await receiver.start()
        try await send("secure", 20, client)
        #expect(try await take(20, from: receiver).last?.text == "secure 20")
        try await client.shutdown()
        try await receiver.shutdown()

        for (address, tls) in [
            (address, TLSConfiguration.makeClientConfiguration()),
            ("wss://127.0.0.1:\(world.port)", tls), ("ws://127.0.0.1:\(world.port)", tls),
        ] {
            let (events, continuation) = AsyncStream.makeStream(of: TransportEvent.self)
            let transport = try WebSocketTransport(to: ServerAddress(address), tls: tls)
            let connection = transport.connect { continuation.yield($0) }
            var iterator = events.makeAsyncIterator()
            let first = await iterator.next()
            guard case .closed = first else {
                Issue.record("\(address) was opened")
                continue
            }
            connection.close()
        }
        try await world.stop()
    }

    /// A certificate for `localhost`, signed by itself.
    private static func makeCertificate(_ certificate: String, _ key: String) async throws {
        try await onThread {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [
                "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt",
                "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2", "-subj", "/CN=localhost",
                "-addext", "subjectAltName=DNS:localhost", "-keyout", key, "-out", certificate,
            ]
            process.standardError = FileHandle.nullDevice
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "openssl makes no certificate")
        }
    }
}

extension Array {
    /// The element at a place; nil when there is none.
    subscript(safe index: Int) -> Element? { indices.contains(index) ? self[index] : nil }
}
