import ClientWire
import Foundation
import Mailbox
import MailboxTesting
import StoreAPI
import SwiftProtobuf
import Testing

@testable import ConnectSrv

/// Whoever asks, with whatever token, for whatever: what is another account's is not read, not
/// confirmed and not written, and nobody acts under another one's name.
@Suite("Every request, by everybody who is not entitled to it")
struct EntitlementTests {
    /// One request of each kind, about what Anna wrote to Bob.
    private static func requests(epoch: UInt64) -> [(name: String, request: ClientRequest)] {
        let all = Mailbox_Client_V1_Cursor.with {
            $0.sequence = 3
            $0.epoch = epoch
        }
        return [
            (
                "send",
                .send(
                    .with {
                        $0.receiver = "bob"
                        $0.clientSequence = 4
                        $0.body = Data("forged".utf8)
                    })
            ),
            ("getSendStates", .getSendStates(.with { $0.receivers = ["bob"] })),
            ("fetch", .fetch(.with { $0.sender = "anna" })),
            (
                "fetch and confirm",
                .fetch(
                    .with {
                        $0.sender = "anna"
                        $0.cursor = all
                    })
            ),
            ("sync", .sync(.init())),
            (
                "sync and confirm",
                .sync(
                    .with {
                        $0.cursors = [
                            .with {
                                $0.sender = "anna"
                                $0.cursor = all
                            }
                        ]
                    })
            ),
            (
                "acknowledge",
                .acknowledge(
                    .with {
                        $0.sender = "anna"
                        $0.cursor = all
                    })
            ),
            ("ping", .ping(.init())),
            ("refreshToken", .refreshToken(.with { $0.token = "none" })),
            (
                "registerPush",
                .registerPush(
                    .with {
                        $0.service = .apns
                        $0.token = "a1b2"
                    })
            ),
            ("unregisterPush", .unregisterPush(.init())),
        ]
    }

    /// Anna has written three messages to Bob, and Bob's phone is to be notified.
    private static func run(
        _ body: @escaping @Sendable (TestServer, MailboxID, UInt64) async throws -> Void
    ) async throws {
        try await TestServer.run { server in
            let store = server.services.store
            let mailbox = try MailboxID(sender: "anna", receiver: "bob")
            for text in ["one", "two", "three"] {
                _ = try await store.append(Append(mailbox, body: Array(text.utf8)))
            }
            let bob = try await server.device("bob")
            try await bob.ask(
                .registerPush(
                    .with {
                        $0.service = .apns
                        $0.token = "b0b0"
                    }))
            #expect(try await bob.frame().content == .done(.init()))
            try await body(server, mailbox, try await store.epoch.rawValue)
            let head = try await store.head(mailbox)
            #expect(head.max == 3 && head.acknowledged == 0)
            #expect(server.services.registrations.contains { $0.token == "b0b0" })
            // He is who it is kept for.
            let request = try await bob.ask(.fetch(.with { $0.sender = "anna" }))
            guard case .messages(let messages) = try await bob.answer(request) else {
                Issue.record("nothing is there")
                return
            }
            #expect(messages.messages.count == 3)
        }
    }

    /// Who speaks without a session, or with a token that is none.
    enum Stranger: CaseIterable {
        case nobody, expired, forged, unsigned, noToken
    }

    @Test("Without a session nothing is answered but that", arguments: Stranger.allCases)
    func strangers(_ stranger: Stranger) async throws {
        try await Self.run { server, _, epoch in
            for (name, request) in Self.requests(epoch: epoch) {
                let device = try await TestDevice.open(port: server.port)
                if let token = try await Self.token(stranger, server) {
                    try await device.ask(
                        .hello(
                            .with {
                                $0.token = token
                                $0.device = "phone"
                            }))
                }
                // The connection may be over before it is asked for: then it is not asked for.
                _ = try? await device.ask(request)
                let (frames, code) = try await device.untilClose()
                #expect(
                    frames.map(\.goodbye.reason) == [
                        stranger == .nobody ? .protocol : .unauthenticated
                    ], "\(name)")
                #expect(code == (stranger == .nobody ? 1_002 : 4_004), "\(name)")
            }
            #expect(server.services.sentCount == 0)
            #expect(Set(server.services.presence.map(\.account.description)) == ["bob"])
        }
    }

    /// Bob's token, as those have it who have none; nil from who says no hello.
    private static func token(
        _ stranger: Stranger, _ server: TestServer
    ) async throws -> String? {
        switch stranger {
        case .nobody: return nil
        case .noToken: return ""
        case .expired: return try server.tokens.token("bob", expiresInSeconds: -5)
        case .forged:
            return try await TestTokens.secret("test", "another secret of 32 bytes or so")
                .token("bob")
        case .unsigned:
            let parts = try server.tokens.token("bob").split(separator: ".")
            return try TestTokens.part(["alg": "none", "kid": "test"]) + "." + parts[1] + "."
        }
    }

    @Test("With a session of another account, only that one's own is touched")
    func anotherAccount() async throws {
        try await Self.run { server, _, epoch in
            let carol = try await server.device("carol")
            for (name, request) in Self.requests(epoch: epoch) where name != "send" {
                try await carol.ask(request)
                let frame = try await carol.frame()
                #expect(frame.messages.messages.isEmpty, "\(name)")
                #expect(frame.inbox.mailboxes.isEmpty, "\(name)")
                #expect(frame.acknowledged.head.maxSequence == 0, "\(name)")
                #expect(frame.sendStates.states.allSatisfy { $0.lastClientSequence == 0 })
            }
            // What she writes is hers, whatever it says.
            let request = try await carol.send("forged", to: "bob", 1)
            guard case .accepted = try await carol.answer(request) else {
                Issue.record("not accepted")
                return
            }
            let own = try MailboxID(sender: "carol", receiver: "bob")
            #expect(try await server.services.store.head(own).max == 1)
            // Bob's token does not make a session his that is hers.
            try await carol.ask(
                .refreshToken(.with { $0.token = (try? server.tokens.token("bob")) ?? "" }))
            #expect(try await carol.frame().refused.code == .forbidden)
        }
    }
}
