import Foundation
import MailboxClient
import Testing

@testable import mailboxctl

/// `send`, `receive` and `chat` against `mailboxd all`, as scripts and people use them.
@Suite(.timeLimit(.minutes(5))) struct DeviceTests {
    @Test func whatIsSentIsReceivedOnce() async throws {
        try await ServedDevices.with { served in
            let first = try await served.run("send", "anna", "bert", "Good morning")
            #expect(first.output == "message 1 to bert: accepted, sequence 1\n", "\(first.notes)")
            let second = try await served.run("send", "anna", "bert", "tab\there", "--json")
            let told = try second.object
            #expect(told["receiver"] as? String == "bert" && told["sequence"] as? Int == 2)
            let piped = try Binary.run(
                Binary.path, ["send"] + served.device("anna") + ["bert"], input: "from a pipe\n")
            #expect(piped.status == 0, "\(piped.error)")
            let bytes = try write([0xFF, 0], to: "bytes", in: served.directory)
            let raw = try Binary.run(
                "/bin/bash",
                ["-c", "\"$0\" send \"${@:2}\" bert - < \"$1\"", Binary.path, bytes]
                    + served.device("anna"))
            #expect(raw.status == 0, "\(raw.error)")

            let one = try await served.run("receive", "bert", "--count", "1")
            #expect(one.output == "anna 1: Good morning\n", "\(one.notes)")
            let rest = try await served.run("receive", "bert", "--json")
            let objects = try rest.objects
            #expect(objects.map { $0["sequence"] as? Int } == [2, 3, 4], "\(rest.notes)")
            #expect(objects.first?["body"] as? String == "tab\there")
            #expect(objects.last?["body64"] as? String == "/wA=")
            #expect(objects.allSatisfy { $0["sender"] as? String == "anna" })
            let none = try await served.run("receive", "bert")
            #expect(none.status == 0 && none.output.isEmpty)
        }
    }

    @Test func aMessageThatIsNotAcceptedInTimeGoesLater() async throws {
        try await ServedDevices.with { served in
            try await served.kill()
            let late = try await served.run("send", "anna", "bert", "late", "--timeout", "500ms")
            #expect(late.status == 75 && late.output.isEmpty)
            #expect(late.notes.first?.hasPrefix("mailboxctl: notAccepted: message 1") == true)
            let waits = try await served.run("send", "anna", "--pending", "--timeout", "500ms")
            #expect(waits.status == 75, "\(waits.notes)")
            let unheard = try await served.run("receive", "bert", "--timeout", "500ms")
            #expect(unheard.status == 69, "\(unheard.notes)")
            try await served.startAgain()
            let sent = try await served.run("send", "anna", "--pending", "--json")
            let accepted = try sent.object["accepted"] as? Int
            #expect(sent.status == 0 && accepted == 1)
            #expect(try await served.run("receive", "bert").output == "anna 1: late\n")
        }
    }

    @Test func whatCanNeverBeDoneIsRefused() async throws {
        try await ServedDevices.with { served in
            let large = String(repeating: "x", count: 300 << 10)
            let refused = try Binary.run(
                Binary.path, ["send"] + served.device("anna") + ["bert"], input: large)
            #expect(refused.status == 65)
            #expect(refused.error.hasPrefix("mailboxctl: messageTooLarge: "))
            #expect(!refused.error.contains("xxx"))
            // The next one is not held up; and now the limit is known before anything is saved.
            #expect(try await served.run("send", "anna", "bert", "next").status == 0)
            let stranger =
                try ["send"] + served.device("carl", database: "anna") + ["bert", "mine"]
            let other = await tool(stranger)
            #expect(other.status == 65)
            #expect(other.notes.first?.hasPrefix("mailboxctl: wrongAccount: ") == true)
            // It is saved, and belongs to the database's account.
            #expect(try await served.run("send", "anna", "--pending").status == 0)
            #expect(
                try await served.run("receive", "bert").output == "anna 1: next\nanna 2: mine\n")
            #expect(try await served.run("send", "anna", "", "x").status == 65)
            let path = served.directory + "/anna.db"
            let client = try MailboxClient(
                path: path, transport: WebSocketTransport(to: ServerAddress("ws://127.0.0.1:1")),
                tokens: { _ in "" })
            #expect(try await served.run("receive", "anna").status == 69)
            try await client.shutdown()
        }
    }

    @Test func aTokenThatTheServerRefusesIsSaidToBe() async throws {
        try await ServedDevices.with { served in
            let device = try served.device("anna")
            _ = try write("no.token.atall", to: "anna.token", in: served.directory)
            let waits = await tool(["send"] + device + ["--timeout", "5s", "bert", "hello"])
            #expect(waits.status == 75)
            #expect(waits.notes.first?.hasPrefix("mailboxctl: notAccepted: ") == true)
            #expect(waits.notes.first?.hasSuffix("does not accept the token") == true)
            // It was saved, and goes when the token is a good one.
            #expect(try await served.run("send", "anna", "--pending").status == 0)
            #expect(try await served.run("receive", "bert").output == "anna 1: hello\n")
        }
    }

    @Test func withoutTokenOrDatabaseNothingBegins() async throws {
        try await withDirectory { directory in
            let server = ["--connect", "ws://127.0.0.1:1"]
            let database = ["--database", directory + "/a.db"]
            let none = await tool(
                ["receive"] + server + database + ["--token-file", directory + "/none"])
            #expect(none.status == 66, "\(none.notes)")
            let token = ["--token-file", try write("t", to: "token", in: directory)]
            let nowhere = await tool(
                ["receive"] + server + token + ["--database", directory + "/none/a.db"])
            #expect(nowhere.status == 74, "\(nowhere.notes)")
            let notes = try write("no database at all, but text", to: "text", in: directory)
            let text = await tool(["receive"] + server + token + ["--database", notes])
            #expect(text.status == 74, "\(text.notes)")
            for wrong in [
                ["receive"] + database + token, ["send"] + server + database + token,
                ["send"] + server + database + token + ["bert", "x", "--pending"],
                ["receive", "--connect", "http://x"] + database + token,
                ["receive"] + server + database + token + ["--count", "0"],
                ["receive"] + server + database + token + ["--timeout", "5ms"],
                ["chat"] + server + database + token,
                ["chat"] + server + database + token + ["bert", "--tls-authority", "x"],
            ] {
                #expect(await tool(wrong).status == 64, "\(wrong)")
            }
        }
    }

    @Test func followingGoesOnUntilItIsInterrupted() async throws {
        try await ServedDevices.with { served in
            let reader = try LivingTool(["receive", "--follow"] + served.device("bert"))
            #expect(try await served.run("send", "anna", "bert", "one").status == 0)
            try await reader.until("anna 1: one")
            try await served.kill()
            try await served.startAgain()
            #expect(try await served.run("send", "anna", "bert", "two").status == 0)
            try await reader.until("anna 2: two")
            reader.signal(SIGINT)
            #expect(try await reader.status() == 0)
            #expect(try await served.run("receive", "bert").output.isEmpty)
        }
    }

    @Test func twoChatsTalkOfflineToo() async throws {
        try await ServedDevices.with { served in
            let anna = try LivingTool(["chat"] + served.device("anna") + ["bert"])
            var bert = try LivingTool(["chat"] + served.device("bert") + ["anna"])
            try anna.write("hello bert")
            try await anna.until("> 1 saved")
            try await anna.until("> 1 accepted 1")
            try await bert.until("anna 1: hello bert")
            try await anna.until("> 1 delivered")
            try bert.write("hello anna")
            // Number 1 of the other mailbox was the receipt.
            try await anna.until("bert 2: hello anna")
            try await bert.until("> 3 delivered")

            // Bert's end of the pipe ends his chat, once everything is accepted.
            try bert.closeInput()
            #expect(try await bert.status() == 0, "\(bert.output)")
            #expect(bert.lines.contains("* connected"))
            try anna.write("are you there?")
            try await served.kill()
            try anna.write("and now?")
            bert = try LivingTool(["chat"] + served.device("bert") + ["anna"])
            try bert.write("was offline")
            try await bert.until("* waiting")
            #expect(!bert.output.contains("and now?"))
            try await served.startAgain()
            try await bert.until("anna 4: and now?")
            try await anna.until("bert 3: was offline")
            for chat in [anna, bert] { try chat.closeInput() }
            #expect(try await anna.status() == 0, "\(anna.output)")
            #expect(try await bert.status() == 0, "\(bert.output)")
            let shown = bert.lines.filter { $0.hasPrefix("anna ") }
            #expect(shown == ["anna 3: are you there?", "anna 4: and now?"])
        }
    }
}
