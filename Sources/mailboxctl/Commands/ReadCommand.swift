import ArgumentParser
import Mailbox

/// `mailboxctl read`
struct ReadCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "read",
        abstract: "Shows messages without confirming anything.",
        usage: Self.usage("read", "SENDER RECEIVER"),
        discussion: """
            EXAMPLES
              mailboxctl read mail anna bert
              mailboxctl read mail anna bert --after 100 --through 150 --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var names: MailboxArguments

    @Option(
        parsing: .unconditional,
        help: "Show sequences above this one; from the oldest that is stored without it.")
    var after: SequenceNumber?

    @Option(parsing: .unconditional, help: "Show sequences up to and with this one.")
    var through: SequenceNumber?

    @OptionGroup var limit: LimitOptions
    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { mailbox(\.names) }

    func execute(_ console: Console) async throws {
        let mailbox = try names.mailbox
        let result = try await location.withStore { store in
            var start = after
            if start == nil { start = try await store.messages.head(mailbox).floor }
            return try await store.messages.read(
                mailbox, after: start ?? 0, through: through, limit: limit.page)
        }
        if output.json {
            try console.write(result.json(of: mailbox))
        } else {
            try result.show(on: console)
        }
    }
}
