import Foundation
import Mailbox
import Testing

@testable import mailboxd

@Suite("The operator's page")
struct OperatorTests {
    private static let token = "a-token-that-nobody-guesses"

    private static func values(
        _ arguments: [String], metricsHost: String = "127.0.0.1"
    ) async throws -> SettingValues {
        try await SettingsReader(
            role: "all",
            arguments: ["--directory", "data", "--metrics-host", metricsHost] + arguments
        ).read(AllSettings.all)
    }

    private static func tokenFile(_ text: String) throws -> (TestDirectory, String) {
        let directory = try TestDirectory()
        let path = directory.file("operator-token")
        try Data(text.utf8).write(to: URL(filePath: path))
        return (directory, path)
    }

    @Test("It is served with a token of its own, or in a first look on this machine; else never")
    func rules() async throws {
        #expect(try OperatorAccess(await Self.values([])) == nil)
        let demo = ["--tokens-demo", "true"]
        #expect(try OperatorAccess(await Self.values(demo)) == .thisMachine)
        #expect(try OperatorAccess(await Self.values(demo, metricsHost: "0.0.0.0")) == nil)
        let (directory, path) = try Self.tokenFile(Self.token + "\n")
        defer { withExtendedLifetime(directory) {} }
        // A token counts also in a first look, and wherever the metrics are.
        for arguments in [[], demo] {
            let values = try await Self.values(
                arguments + ["--operator-token", path], metricsHost: "0.0.0.0")
            #expect(try OperatorAccess(values) == .token(Array(Self.token.utf8)))
            try values.checkOperator()
        }
    }

    @Test(
        "A token that is none, or could be guessed, is refused at the start",
        arguments: [
            "", "short", "with spaces in between it", "fifteen-letters", "ümlaut-ümlaut-ümlaut",
        ]
    )
    func badTokens(_ text: String) async throws {
        let (directory, path) = try Self.tokenFile(text)
        defer { withExtendedLifetime(directory) {} }
        let values = try await Self.values(["--operator-token", path])
        #expect(throws: Failure.self) { try values.checkOperator() }
    }

    @Test("A token's file that is not there, or a page without its port, is refused at the start")
    func misfits() async throws {
        let missing = try await Self.values(["--operator-token", "/nowhere/token"])
        #expect(throws: Failure.self) { try missing.checkOperator() }
        let (directory, path) = try Self.tokenFile(Self.token)
        defer { withExtendedLifetime(directory) {} }
        let dark = try await Self.values(["--operator-token", path, "--metrics-enabled", "false"])
        #expect(throws: Failure.self) { try dark.checkOperator() }
    }

    @Test("The token must be the same to the last byte; without one, the host must be this machine")
    func allowed() {
        let access = OperatorAccess.token(Array("abcdefghijklmnop".utf8))
        #expect(access.allows(authorization: "Bearer abcdefghijklmnop", host: "elsewhere"))
        for wrong in [
            nil, "", "Bearer", "Bearer ", "abcdefghijklmnop", "Bearer abcdefghijklmnoq",
            "Bearer abcdefghijklmno", "Bearer abcdefghijklmnopq", "bearer abcdefghijklmnop",
        ] {
            #expect(!access.allows(authorization: wrong, host: "127.0.0.1"), "\(wrong ?? "nil")")
        }
        for host in ["127.0.0.1:7191", "127.1.2.3", "localhost:80", "localhost", "[::1]:7191"] {
            #expect(OperatorAccess.thisMachine.allows(authorization: nil, host: host), "\(host)")
        }
        for host in [nil, "", "evil.example", "127.evil.example:80", "[::2]:7191", "10.0.0.1"] {
            #expect(
                !OperatorAccess.thisMachine.allows(authorization: nil, host: host),
                "\(host ?? "nil")")
        }
    }

    @Test("A long text is cut at a character, bytes that are no text are told as none")
    func texts() {
        func text(_ body: [UInt8], showsBody: Bool = true) -> String? {
            OperatorAnswers.Messages.Message(
                Message(sequence: 1, timestampMilliseconds: 2, producer: nil, body: body[...]),
                showsBody: showsBody
            ).text
        }
        #expect(text(Array("Grüße".utf8)) == "Grüße")
        #expect(text(Array("Grüße".utf8), showsBody: false) == nil)
        #expect(text([0xFF, 0xFE]) == nil)
        #expect(text([]) == "")
        let long = String(repeating: "ü", count: 5_000)
        #expect(text(Array(long.utf8)) == String(repeating: "ü", count: 2_048) + "…")
    }

    @Test("Over HTTP: nothing without the token; with it what is asked for, or why not")
    func served() async throws {
        let directory = try TestDirectory()
        let (tokens, path) = try Self.tokenFile(Self.token)
        defer { withExtendedLifetime(tokens) {} }
        let daemon = try await Daemon.start(
            role: "all",
            [
                "--directory", directory.file("store"), "--connect-port", "0",
                "--tokens-demo", "true", "--operator-token", path,
            ])
        try #require(daemon.isReady, "\(daemon.readyLine)")
        #expect(try await daemon.page("operator").status == 200)
        for wrong in [nil, "another-token-of-that-length"] {
            for query in ["about", "inbox?receiver=bob", "messages?sender=anna&receiver=bob"] {
                #expect(try await daemon.page("operator/\(query)", token: wrong).status == 401)
            }
        }
        let inbox = try await daemon.page("operator/inbox?receiver=bob", token: Self.token)
        #expect(inbox.status == 200)
        #expect(inbox.text.contains("\"mailboxes\":[]"), "\(inbox.text)")
        let messages = "operator/messages?sender=anna&receiver=bob"
        #expect(try await daemon.page(messages, token: Self.token).status == 200)
        for bad in [
            "operator/inbox", "operator/inbox?receiver=", "operator/inbox?receiver=bob&limit=201",
            "operator/inbox?receiver=bob&after=", messages + "&after=-1", messages + "&limit=no",
            "operator/messages?receiver=bob",
        ] {
            let answer = try await daemon.page(bad, token: Self.token)
            #expect(answer.status == 400, "\(bad): \(answer.text)")
            #expect(answer.text.contains("\"error\""))
        }
        #expect(try await daemon.stop().status == 0)
    }
}
