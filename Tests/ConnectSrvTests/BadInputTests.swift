import ClientWire
import Mailbox
import MailboxTesting
import Testing

@testable import ConnectSrv

/// What a device may say that it may not: each gets a typed answer, or a close with its code, and
/// the device beside it goes on. More of it: `BadPeerTests`, `LoopbackTests`, `TokenVerifierTests`.
@Suite("bad input over loopback", .timeLimit(.minutes(2)), .serialized)
struct BadInputTests {
    private func expectAlive(_ device: TestDevice) async throws {
        let ping = try await device.ask(.ping(.init()))
        #expect(try await device.answer(ping) != nil)
    }

    @Test("tokens: none, malformed, expired, of another algorithm, of another key, without account")
    func tokens() async throws {
        try await TestServer.run { server in
            let bystander = try await server.device("bob")
            let (es256, _) = try await TestTokens.es256("test")
            let forger = try await TestTokens.secret("test", "another secret of 32 bytes or so")
            let none = try TestTokens.part(["alg": "none", "kid": "test"])
            let claims = try TestTokens.part(["sub": "anna", "exp": 9_999_999_999])
            let bad = [
                "", "a.b.c", none + "." + claims + ".", try es256.token("anna"),
                try forger.token("anna"), try server.tokens.token("anna", expiresInSeconds: -1),
                try server.tokens.token("anna", algorithm: "HS512"),
                try server.tokens.token("anna", kid: "other"), try server.tokens.token(""),
                String(repeating: "a", count: 20_000),
            ]
            for token in bad {
                let device = try await TestDevice.open(port: server.port)
                var hello = Hello()
                hello.token = token
                hello.device = "phone"
                try await device.ask(.hello(hello))
                let (frames, code) = try await device.untilClose()
                #expect(frames.map(\.goodbye.reason) == [.unauthenticated], "\(token.prefix(20))")
                #expect(code == 4004)
                await device.close()
            }
            try await expectAlive(bystander)
        }
    }

    @Test("a mailbox of another account cannot be read, confirmed or written")
    func otherAccount() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            try await anna.send("for bob alone", to: "bob", 1)
            #expect(try await anna.frame().accepted.sequence == 1)
            let eve = try await server.device("eve")
            // Whatever she asks of Anna's messages is of those to herself: there are none.
            var fetch = Mailbox_Client_V1_Fetch()
            fetch.sender = "anna"
            let fetched = try await eve.ask(.fetch(fetch))
            guard case .messages(let messages) = try await eve.answer(fetched) else {
                Issue.record("no messages")
                return
            }
            #expect(messages.messages.isEmpty && messages.head.maxSequence == 0)
            var acknowledge = Mailbox_Client_V1_Acknowledge()
            acknowledge.sender = "anna"
            acknowledge.cursor.sequence = 1
            acknowledge.cursor.epoch = messages.epoch
            let confirmed = try await eve.ask(.acknowledge(acknowledge))
            guard case .refused(let refused) = try await eve.answer(confirmed) else {
                Issue.record("she confirmed what she never had")
                return
            }
            #expect(refused.code == .cursorAhead)
            // As a writer she is who her token says.
            try await eve.send("as anna?", to: "bob", 1)
            #expect(try await eve.frame().accepted.sequence == 1)
            let store = server.services.store
            let toBob = try await store.head(MailboxID(sender: "anna", receiver: "bob"))
            #expect(toBob.max == 1 && toBob.acknowledged == 0)
            #expect(try await store.head(MailboxID(sender: "eve", receiver: "bob")).max == 1)
        }
    }

    @Test("a body at the limit is taken, one byte more is a typed refusal, and the next one goes")
    func largeBody() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            let limit = 256 << 10
            try await anna.send(String(repeating: "x", count: limit), to: "bob", 1)
            #expect(try await anna.frame().accepted.sequence == 1)
            try await anna.send(String(repeating: "x", count: limit + 1), to: "bob", 2)
            let refused = try await anna.frame().refused
            #expect(refused.code == .messageTooLarge)
            #expect(!refused.hasRetryAfterMilliseconds, "it never makes sense")
            try await anna.send("small", to: "bob", 2)
            #expect(try await anna.frame().accepted.sequence == 2)
        }
    }

    @Test("a receiver that nobody ever was is written to: mailboxes need no registration")
    func nobody() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            try await anna.send("are you there?", to: "nobody ☃", 1)
            #expect(try await anna.frame().accepted.sequence == 1)
            let nobody = try await server.device("nobody ☃")
            let request = try await nobody.ask(.sync(.init()))
            guard case .inbox(let inbox) = try await nobody.answer(request) else {
                Issue.record("no inbox")
                return
            }
            #expect(inbox.mailboxes.map(\.sender) == ["anna"])
            for receiver in ["", "line\nfeed", String(repeating: "x", count: 65)] {
                try await anna.send("hello", to: receiver, 2)
                #expect(try await anna.frame().refused.code == .invalidArgument)
            }
        }
    }

    @Test("a hook turns a receiver down: the message is refused for good, and the next one goes")
    func notAdmitted() async throws {
        let admits: @Sendable (Address, Address) -> Bool = { sender, receiver in
            sender.description == "anna" && receiver.description != "mallory"
        }
        try await TestServer.run(admits: admits) { server in
            let anna = try await server.device("anna")
            try await anna.send("hello", to: "mallory", 1)
            let refused = try await anna.frame().refused
            #expect(refused.code == .forbidden && refused.peer == "mallory")
            #expect(!refused.hasRetryAfterMilliseconds, "it never makes sense")
            try await anna.send("hello", to: "bob", 1)
            #expect(try await anna.frame().accepted.sequence == 1)
            let bob = try await server.device("bob")
            try await bob.send("hello", to: "anna", 1)
            #expect(try await bob.frame().refused.code == .forbidden)
            let store = server.services.store
            for mailbox in [
                try MailboxID(sender: "anna", receiver: "mallory"),
                try MailboxID(sender: "bob", receiver: "anna"),
            ] {
                #expect(try await store.head(mailbox).max == 0, "nothing was stored")
            }
        }
    }

    @Test("fragments that stop coming are ended like any silence, and take no memory meanwhile")
    func unfinished() async throws {
        var limits = ConnectLimits()
        limits.heartbeat = .milliseconds(200)
        try await TestServer.run(limits: limits) { server in
            let anna = try await server.device("anna")
            try await anna.write(opcode: 2, [1, 2, 3], fin: false)
            let (frames, code) = try await anna.untilClose()
            #expect(frames.map(\.goodbye.reason) == [.idle])
            #expect(code == 4008)
        }
    }

    @Test("a second hello, an answerless request number, and an unknown request")
    func outOfTurn() async throws {
        try await TestServer.run { server in
            let bystander = try await server.device("bob")
            let twice = try await server.device("anna", "1")
            var hello = Hello()
            hello.token = try server.tokens.token("anna")
            hello.device = "2"
            try await twice.ask(.hello(hello))
            let (frames, code) = try await twice.untilClose()
            #expect(frames.last?.goodbye.reason == .protocol)
            #expect(code == 1002)
            let unknown = try await server.device("anna", "3")
            // Field 99 of a later protocol, and nothing else that this server knows.
            try await unknown.write(opcode: 2, [0x08, 0x32, 0x9A, 0x06, 0x00])
            let frame = try await unknown.frame()
            #expect(frame.request == 0x32 && frame.refused.code == .invalidArgument)
            try await expectAlive(unknown)
            try await expectAlive(bystander)
        }
    }
}
