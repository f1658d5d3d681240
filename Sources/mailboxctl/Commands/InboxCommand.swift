import ArgumentParser
import Mailbox

/// `mailboxctl inbox`
struct InboxCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "inbox",
        abstract: "Lists who wrote to a receiver, and how many messages wait.",
        usage: Self.usage("inbox", "RECEIVER"),
        discussion: """
            One page, in order of sender (shorter names first); when more senders follow, the \
            answer says where the next page begins. With --json: one object.

            EXAMPLES
              mailboxctl inbox mail bert
              mailboxctl inbox mail bert --limit 50 --after anna
            """)

    @OptionGroup var location: StoreLocation

    @Argument(help: "Whose inbox.")
    var receiver: String?

    @Option(help: "Begin behind this sender.")
    var after: String?

    @Option(parsing: .unconditional, help: "At most this many senders.")
    var limit = 100

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] {
        [Position(argument: \.receiver, name: "RECEIVER")]
    }

    func execute(_ console: Console) async throws {
        let receiver = try Address(receiver ?? "")
        let after = try after.map { try Address($0) }
        let page = try await location.withStore { store in
            try await store.messages.inbox(receiver, after: after, limit: limit)
        }
        if output.json {
            let entries = page.entries.map { entry in
                JSON.object(
                    [("sender", .string(entry.sender.description))] + entry.head.jsonMembers)
            }
            return try console.write(
                .object([
                    ("receiver", .string(receiver.description)),
                    ("entries", .array(entries)),
                    ("next", page.next.map { .string($0.description) } ?? .null),
                ]))
        }
        var table = Table([
            ("sender", .left), ("waiting", .right), ("max", .right), ("acknowledged", .right),
            ("newest", .left),
        ])
        for entry in page.entries {
            table.add([
                entry.sender.description, "\(entry.head.waitingCount)", "\(entry.head.max)",
                "\(entry.head.acknowledged)",
                Text.time(milliseconds: entry.head.newestTimestampMilliseconds),
            ])
        }
        if page.entries.isEmpty {
            try console.write("nobody wrote to \(receiver)")
        } else {
            try console.write(table)
        }
        if let next = page.next { try console.write("more senders follow: --after '\(next)'") }
    }
}
