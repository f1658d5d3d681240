import Foundation
import Testing

@Suite("Everything in one process")
struct AllTests {
    @Test("Two devices: sent, stored, pushed, fetched, acknowledged; and all is there after a kill")
    func endToEnd() async throws {
        let directory = try TestDirectory()
        let arguments = [
            "--directory", directory.file("store"), "--connect-port", "0", "--tokens-demo", "true",
        ]
        let first = try await Daemon.start(role: "all", arguments)
        try #require(first.isReady, "\(first.readyLine)")
        let port = try #require(Self.port(first))
        try await onThread { try Self.exchange(port) }
        first.signal(SIGKILL)
        _ = try await first.end()

        let second = try await Daemon.start(role: "all", arguments)
        try #require(second.isReady)
        let newPort = try #require(Self.port(second))
        try await onThread { try Self.fetchAndConfirm(newPort) }
        let metrics = try await second.page("metrics").text
        #expect(metrics.contains("mailbox_connect_"))
        #expect(metrics.contains("mailbox_store_append_seconds"))
        #expect(metrics.contains("mailbox_store_fetched_messages_total 20\n"))
        let end = try await second.stop()
        #expect(end.status == 0, "\(end.notes)")
        #expect(!end.notes.contains("c2VjcmV0"))
        #expect(!end.notes.contains("secret"))
    }

    /// Alice sends twenty messages, and one of them twice; Bob is pushed each of them.
    private static func exchange(_ port: Int) throws {
        var alice = try Self.device("alice", "phone", port)
        var bob = try Self.device("bob", "laptop", port)
        defer {
            alice.close()
            bob.close()
        }
        for number in 1...20 {
            try alice.send([
                "request": 10 + number,
                "send": [
                    "receiver": "bob", "clientSequence": number, "body": Self.body(number),
                ],
            ])
        }
        // Answers come in order, each after its message was made durable.
        for number in 1...20 {
            let accepted = try alice.receive("accepted")
            #expect(accepted["request"] as? Int == 10 + number)
            #expect((accepted["accepted"] as? [String: Any])?["sequence"] as? Int == number)
        }
        // Every message is pushed, in order, as itself.
        for number in 1...20 {
            let pushed = try bob.receive("pushed")["pushed"] as? [String: Any]
            #expect(pushed?["sender"] as? String == "alice")
            let message = pushed?["message"] as? [String: Any]
            #expect(message?["sequence"] as? Int == number)
            #expect(message?["body"] as? String == Self.body(number))
        }
        // A resend is told as one, and nothing is stored.
        try alice.send([
            "request": 40,
            "send": ["receiver": "bob", "clientSequence": 20, "body": Self.body(20)],
        ])
        let again = try alice.receive("accepted")["accepted"] as? [String: Any]
        #expect(again?["isDuplicate"] as? Bool == true)
    }

    /// Bob fetches all, and confirms it.
    private static func fetchAndConfirm(_ port: Int) throws {
        var bob = try Self.device("bob", "laptop", port)
        defer { bob.close() }
        try bob.send(["request": 2, "sync": [:]])
        let inbox = try bob.receive("inbox")["inbox"] as? [String: Any]
        let mailbox = try #require((inbox?["mailboxes"] as? [[String: Any]])?.first)
        let messages = try #require(mailbox["messages"] as? [[String: Any]])
        #expect(messages.map { $0["sequence"] as? Int } == Array(1...20))
        let epoch = try #require(mailbox["epoch"])
        try bob.send([
            "request": 3,
            "acknowledge": ["sender": "alice", "cursor": ["sequence": 20, "epoch": epoch]],
        ])
        let done = try bob.receive("acknowledged")["acknowledged"] as? [String: Any]
        #expect((done?["head"] as? [String: Any])?["acknowledgedSequence"] as? Int == 20)
    }

    @Test("Without a key for tokens nobody could connect, and it does not start")
    func keyless() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(role: "all", ["--directory", directory.file("store")])
        let end = try await daemon.end()
        #expect(end.status == 64)
        #expect(end.notes.contains("nobody could connect"))
    }

    private static func port(_ daemon: Daemon) -> Int? {
        daemon.readyLine.firstMatch(of: #/ws=127.0.0.1:(\d+)/#).flatMap { Int($0.1) }
    }

    /// A body as protobuf's JSON writes bytes.
    private static func body(_ number: Int) -> String {
        Data("secret \(number)".utf8).base64EncodedString()
    }

    private static func device(
        _ account: String, _ device: String, _ port: Int
    ) throws -> TextSocket {
        let token = try TextSocket.post("/demo/token", account, port: port)
        var socket = try TextSocket(port: port)
        try socket.send(["request": 1, "hello": ["token": token, "device": device]])
        let welcome = try socket.receive("welcome")["welcome"] as? [String: Any]
        #expect(welcome?["account"] as? String == account)
        return socket
    }
}
