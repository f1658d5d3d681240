import ArgumentParser
import Testing

@testable import mailboxctl

@Suite struct ParsingTests {
    @Test(arguments: [
        ("500ms", 500), ("90s", 90_000), ("45min", 2_700_000), ("12h", 43_200_000),
        ("30d", 2_592_000_000), ("0s", 0),
    ])
    func durationsAreRead(text: String, milliseconds: Int64) {
        #expect(DurationArgument(argument: text)?.milliseconds == milliseconds)
    }

    @Test(arguments: ["", "5", "s", "-5s", "1.5h", "5 s", "5y", "٣s", "9223372036854775807d"])
    func whatIsNoDurationIsRefused(text: String) {
        #expect(DurationArgument(argument: text) == nil)
    }

    @Test(arguments: [
        [], ["unheard"], ["append"], ["append", "store"], ["append", "store", "a"],
        ["append", "store", "a", "b", "body", "--device", "phone"],
        ["append", "store", "a", "b", "body", "--client-sequence", "1"],
        ["append", "store", "a", "b", "body", "--durability", "never"],
        ["fetch", "store", "a", "b", "--cursor", "-1"],
        ["fetch", "store", "a", "b", "--cursor", "4294967296"],
        ["fetch", "store", "a", "b", "--limit", "many"],
        ["read", "store", "a", "b", "--after", "-1"],
        ["ack", "store", "a", "b", "5"],
        ["compact", "store", "--keep-newest", "-1"],
        ["compact", "store", "--keep-for", "-5s"],
        ["compact", "store", "--keep-newest", "1", "--keep-unacknowledged"],
        ["replay", "store"], ["replay", "store", "file", "--generate", "5"],
        ["replay", "store", "file", "--batch", "0"], ["replay", "store", "--generate=-1"],
        ["drain", "store", "--concurrency", "0"], ["bench", "--messages", "0"],
        ["demo", "--trace", "-"], ["demo", "--trace", "file", "--generate", "5"],
    ])
    func anUnclearCommandLineIsRefused(arguments: [String]) async {
        let run = await tool(arguments)
        #expect(run.status == 64)
        #expect(run.output.isEmpty)
        #expect(!run.notes.joined().isEmpty)
    }

    @Test func everyCommandExplainsItselfWithExamples() {
        let groups = MailboxCtl.configuration.groupedSubcommands
        let commands = groups.flatMap(\.subcommands)
        #expect(commands.count == 22)
        for command in commands {
            let configuration = command.configuration
            #expect(!configuration.abstract.isEmpty)
            #expect(configuration.discussion.contains("EXAMPLES\n  mailboxctl "))
            #expect(command is any ConsoleCommand.Type)
        }
    }

    @Test func everyExampleInTheHelpIsUnderstood() throws {
        let groups = MailboxCtl.configuration.groupedSubcommands
        for command in groups.flatMap(\.subcommands) {
            let lines = command.configuration.discussion.split(separator: "\n")
            for line in lines where line.hasPrefix("  ") && line.contains("mailboxctl ") {
                // What stands behind a pipe's sign, up to the next.
                let words = line.split(separator: "mailboxctl ").last ?? ""
                let own = words.split { "|&>".contains($0) }.first ?? ""
                let arguments = own.split(separator: " ").map { word in
                    String(word.filter { $0 != "'" })
                }
                let bare = arguments.filter { !["Good", "sound"].contains($0) }
                #expect(throws: Never.self, "\(line)") { try MailboxCtl.parseAsRoot(bare) }
            }
        }
    }
}
