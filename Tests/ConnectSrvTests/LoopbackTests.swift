import ClientWire
import Mailbox
import MailboxTesting
import StoreAPI
import Testing

@testable import ConnectSrv

/// A server on loopback, and devices that connect to it.
@Suite("devices over loopback", .timeLimit(.minutes(2)), .serialized)
struct LoopbackTests {
    @Test("hello, send, ACK, push, fetch, acknowledge", arguments: WireFormat.allCases)
    func conversation(_ format: WireFormat) async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna", format: format)
            let bob = try await server.device("bob", format: format)
            for number in 1...3 {
                try await anna.send("hello \(number)", to: "bob", UInt32(number))
            }
            for number in 1...3 as ClosedRange<UInt32> {
                let frame = try await anna.frame()
                #expect(frame.accepted.sequence == number)
                #expect(!frame.accepted.isDuplicate)
                let pushed = try await bob.frame().pushed
                #expect(pushed.sender == "anna")
                #expect(pushed.message.sequence == number)
                #expect(pushed.message.clientSequence == number)
                #expect(pushed.message.device == "phone")
            }
            var fetch = Mailbox_Client_V1_Fetch()
            fetch.sender = "anna"
            let first = try await bob.ask(.fetch(fetch))
            guard case .messages(let messages) = try await bob.answer(first) else {
                Issue.record("no messages")
                return
            }
            #expect(messages.messages.map(\.sequence) == [1, 2, 3])
            #expect(
                messages.messages.map { String(decoding: $0.body, as: UTF8.self) }
                    == ["hello 1", "hello 2", "hello 3"])
            var acknowledge = Mailbox_Client_V1_Acknowledge()
            acknowledge.sender = "anna"
            acknowledge.cursor.sequence = 2
            acknowledge.cursor.epoch = messages.epoch
            let second = try await bob.ask(.acknowledge(acknowledge))
            guard case .acknowledged(let done) = try await bob.answer(second) else {
                Issue.record("not acknowledged")
                return
            }
            #expect(done.head.acknowledgedSequence == 2)
            let third = try await bob.ask(.sync(.init()))
            guard case .inbox(let inbox) = try await bob.answer(third) else {
                Issue.record("no inbox")
                return
            }
            #expect(inbox.mailboxes.flatMap { $0.messages.map(\.sequence) } == [3])
        }
    }

    @Test("a resend is a duplicate; a gap, a conflict and a foreign epoch are typed refusals")
    func refusals() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            try await anna.send("one", to: "bob", 1)
            #expect(try await anna.frame().accepted.sequence == 1)
            try await anna.send("one", to: "bob", 1)
            let duplicate = try await anna.frame().accepted
            #expect(duplicate.isDuplicate)
            #expect(duplicate.sequence == 1)
            try await anna.send("three", to: "bob", 3)
            let gap = try await anna.frame().refused
            #expect(gap.code == .producerGap)
            #expect(gap.expectedClientSequence == 2)
            #expect(gap.peer == "bob")
            try await anna.send("other", to: "bob", 1)
            #expect(try await anna.frame().refused.code == .producerConflict)
            try await anna.send("zero", to: "bob", 0)
            #expect(try await anna.frame().refused.code == .invalidArgument)
            try await anna.send("nobody", to: "", 1)
            #expect(try await anna.frame().refused.code == .invalidArgument)
            var fetch = Mailbox_Client_V1_Fetch()
            fetch.sender = "bob"
            fetch.cursor.epoch = 5
            try await anna.ask(.fetch(fetch))
            #expect(try await anna.frame().refused.code == .epochChanged)
            var states = Mailbox_Client_V1_GetSendStates()
            states.receivers = ["bob", "eve"]
            try await anna.ask(.getSendStates(states))
            #expect(try await anna.frame().sendStates.states.map(\.lastClientSequence) == [1, 0])
        }
    }

    @Test("the sender is who the token says; one can write to oneself")
    func sender() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            let request = try await anna.send("note", to: "anna", 1)
            guard case .accepted(let accepted) = try await anna.answer(request) else {
                Issue.record("not accepted")
                return
            }
            #expect(accepted.sequence == 1)
            let head = try await server.services.store.head(
                try MailboxID(sender: "anna", receiver: "anna"))
            #expect(head.max == 1)
        }
    }

    @Test("without a valid token there is no welcome")
    func unauthenticated() async throws {
        try await TestServer.run { server in
            let forger = try await TestTokens.secret("test", "another secret of 32 bytes or so")
            for token in [
                "", try server.tokens.token(expiresInSeconds: -5), try forger.token("anna"),
            ] {
                let device = try await TestDevice.open(port: server.port)
                var hello = Hello()
                hello.token = token
                hello.device = "phone"
                try await device.ask(.hello(hello))
                let (frames, code) = try await device.untilClose()
                #expect(frames.map(\.goodbye.reason) == [.unauthenticated])
                #expect(code == 4004)
            }
            #expect(server.services.presence.isEmpty)
        }
    }

    @Test("a token's expiry ends the connection; a newer one keeps it, another account's does not")
    func expiry() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna", expiresInSeconds: 2)
            var refresh = Mailbox_Client_V1_RefreshToken()
            refresh.token = try server.tokens.token("bob")
            try await anna.ask(.refreshToken(refresh))
            #expect(try await anna.frame().refused.code == .forbidden)
            refresh.token = "none"
            try await anna.ask(.refreshToken(refresh))
            #expect(try await anna.frame().refused.code == .unauthenticated)
            let bob = try await server.device("bob", expiresInSeconds: 2)
            refresh.token = try server.tokens.token("bob", expiresInSeconds: 600)
            try await bob.ask(.refreshToken(refresh))
            #expect(try await bob.frame().welcome.account == "bob")
            let (frames, code) = try await anna.untilClose()
            #expect(frames.last?.goodbye.reason == .unauthenticated)
            #expect(code == 4004)
            let ping = try await bob.ask(.ping(.init()))
            #expect(try await bob.answer(ping) != nil)
        }
    }

    @Test("a newer connection of a device replaces the older; another device does not")
    func replaced() async throws {
        try await TestServer.run { server in
            let old = try await server.device("anna", "phone")
            let tablet = try await server.device("anna", "tablet")
            let new = try await server.device("anna", "phone")
            let (frames, code) = try await old.untilClose()
            #expect(frames.map(\.goodbye.reason) == [.replaced])
            #expect(code == 4003)
            let bob = try await server.device("bob")
            try await bob.send("hi", to: "anna", 1)
            #expect(try await new.frame().pushed.sender == "bob")
            #expect(try await tablet.frame().pushed.sender == "bob")
            #expect(server.server.sessionCount == 3)
            let changes = server.services.presence.filter { $0.account.description == "anna" }
            #expect(changes.map(\.isOnline) == [true, true, false, true])
        }
    }

    @Test("a registration for pushes is kept for the device, and taken back")
    func registration() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            var registration = Mailbox_Client_V1_RegisterPush()
            registration.service = .apns
            registration.token = "a1b2"
            try await anna.ask(.registerPush(registration))
            #expect(try await anna.frame().content == .done(.init()))
            #expect(server.services.registrations.map(\.account.description) == ["anna"])
            registration.token = "not hexadecimal"
            try await anna.ask(.registerPush(registration))
            #expect(try await anna.frame().refused.code == .invalidArgument)
            try await anna.ask(.unregisterPush(.init()))
            #expect(try await anna.frame().content == .done(.init()))
            #expect(server.services.registrations.isEmpty)
        }
    }

    @Test("a shutdown tells devices when to come back, and answers what is in flight")
    func draining() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            let idle = try await server.device("bob")
            server.services.hold()
            let request = try await anna.send("one", to: "carl", 1)
            await server.services.untilHeld(1)
            server.server.beginDraining()
            #expect(try await anna.frame().goodbye.reason == .shutdown)
            let (frames, code) = try await idle.untilClose()
            #expect(frames.map(\.goodbye.reason) == [.shutdown])
            #expect(code == 1001)
            let late = try await anna.send("two", to: "carl", 2)
            guard case .refused(let refused) = try await anna.answer(late) else {
                Issue.record("taken while draining")
                return
            }
            #expect(refused.code == .unavailable)
            server.services.release()
            guard case .accepted = try await anna.answer(request) else {
                Issue.record("no answer while draining")
                return
            }
            #expect(try await anna.untilClose().code == 1001)
        }
    }

    @Test("neither bodies nor tokens are in the log")
    func canaries() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            try await anna.send("canary-body-7261", to: "bob", 1)
            _ = try await anna.frame()
            try await anna.send("canary-body-7261", to: "bob", 9)
            _ = try await anna.frame()
            let token = try server.tokens.token("anna", expiresInSeconds: -1)
            let device = try await TestDevice.open(port: server.port, format: .json)
            try await device.write(
                opcode: 1,
                Array(
                    "{\"request\":1,\"hello\":{\"token\":\"\(token)\",\"device\":\"d\"}}".utf8))
            _ = try await device.untilClose()
            let garbled = try await TestDevice.open(port: server.port, format: .json)
            try await garbled.write(opcode: 1, Array("{canary-body-7261".utf8))
            _ = try await garbled.untilClose()
            #expect(server.log.text.contains("unauthenticated"))
            #expect(!server.log.text.contains("canary"))
            #expect(!server.log.text.contains(token))
        }
    }
}
