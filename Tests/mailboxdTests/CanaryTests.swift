import Foundation
import Testing

/// What nobody but its owner may read: bodies, tokens and keys, on every way through the services,
/// with the log as talkative as it gets.
@Suite("Bodies, tokens and keys stay out of logs, metrics and errors")
struct CanaryTests {
    private static let body = "canary-body-8d1f"
    private static let pushToken = "canary-push-token-77a0"
    private static let badToken = "canary-bad-token-3b52"
    private static let key = "canary-key-5e90-of-more-than-thirty-two-bytes"

    @Test("Sent, pushed, fetched, refused, garbled, notified: none of it is told")
    func all() async throws {
        let directory = try TestDirectory()
        let mint = try TokenMint(in: directory)
        let daemon = try await Daemon.start(
            role: "all",
            [
                "--directory", directory.file("store"), "--connect-port", "0",
                "--engine-message-bytes", "4KiB", "--log-level", "trace",
                "--tokens-key", mint.secretPath, "--tokens-algorithm", "HS256",
                // Nobody is there: each notification fails, and says so.
                "--webhook-url", "http://127.0.0.1:1/\(Self.key)",
                "--webhook-secret", try directory.write(Self.key, to: "webhook.secret"),
            ])
        try #require(daemon.isReady)
        let tokens = ["alice", "bob"].map(mint.mint)
        let port = daemon.devicePort
        let told = try await onThread { try Self.exchange(port, tokens) }
        let failed = #"notifications_total\{[^}]*outcome="failed"[^}]*\} [1-9]"#
        var metrics = try await daemon.page("metrics").text
        let deadline = ContinuousClock.now + .seconds(60)
        while metrics.firstMatch(of: try Regex(failed)) == nil {
            try #require(ContinuousClock.now < deadline, "\(metrics)")
            metrics = try await daemon.page("metrics").text
        }
        let health = try await daemon.page("healthz").text
        let end = try await daemon.stop()
        #expect(end.status == 0)
        let secret = try String(contentsOfFile: mint.secretPath, encoding: .utf8)
        for text in [told, metrics, health, end.notes] {
            // Never the text itself: it would be in the test's own log.
            let leaked = ([Self.body, Self.base64(Self.body), "canary", secret] + tokens).filter {
                text.contains($0)
            }
            #expect(leaked.isEmpty)
        }
        // The log was as talkative as it should be.
        #expect(end.notes.contains(" debug: ") && end.notes.contains("a notification failed"))
    }

    /// - Returns: everything that a device was told but for messages themselves.
    private static func exchange(_ port: Int, _ tokens: [String]) throws -> String {
        var told = ""
        var bob = try device("bob", tokens[1], port)
        try bob.send([
            "request": 2,
            "registerPush": ["service": "PUSH_SERVICE_WEBHOOK", "token": pushToken],
        ])
        _ = try bob.receive("done")
        // A token that is none, before a session and on one.
        told += try refusal { socket in
            try socket.send(["request": 1, "hello": ["token": badToken, "device": "d"]])
        }(port)
        try bob.send(["request": 3, "refreshToken": ["token": badToken]])
        told += "\(try bob.receive("refused"))"
        var alice = try device("alice", tokens[0], port)
        defer { alice.close() }
        func send(_ request: Int, _ sequence: Int, _ body: String) throws {
            try alice.send([
                "request": request,
                "send": [
                    "receiver": "bob", "clientSequence": sequence, "body": base64(body),
                ],
            ])
        }
        try send(10, 1, body)
        _ = try alice.receive("accepted")
        _ = try bob.receive("pushed")
        // Another text under the same number, a gap, one that is too large.
        try send(11, 1, body + "-changed")
        told += "\(try alice.receive("refused"))"
        try send(12, 9, body)
        told += "\(try alice.receive("refused"))"
        try send(13, 2, String(repeating: body, count: 400))
        told += "\(try alice.receive("refused"))"
        try bob.send(["request": 4, "sync": [:]])
        _ = try bob.receive("inbox")
        // Frames that are none end their connection.
        told += try refusal { socket in
            try socket.send(["request": 1, body: ["token": badToken]])
        }(port)
        // While nobody is there to be pushed to.
        bob.close()
        try send(14, 2, body)
        _ = try alice.receive("accepted")
        return told
    }

    /// What a device hears that sends something bad first.
    private static func refusal(
        _ send: @escaping (TextSocket) throws -> Void
    ) -> (Int) throws -> String {
        { port in
            var socket = try TextSocket(port: port)
            defer { socket.close() }
            try send(socket)
            return "\(try socket.receive("goodbye"))"
        }
    }

    private static func device(_ name: String, _ token: String, _ port: Int) throws -> TextSocket {
        var socket = try TextSocket(port: port)
        try socket.send(["request": 1, "hello": ["token": token, "device": "\(name)-phone"]])
        _ = try socket.receive("welcome")
        return socket
    }

    /// A body as protobuf's JSON writes bytes.
    private static func base64(_ text: String) -> String {
        Data(text.utf8).base64EncodedString()
    }
}
