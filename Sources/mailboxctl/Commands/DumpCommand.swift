import ArgumentParser
import Mailbox

/// `mailboxctl dump`
struct DumpCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Writes every mailbox and every message as JSON lines.",
        usage: Self.usage("dump"),
        discussion: """
            In order of receiver, sender and sequence. A mailbox's line ("kind": "mailbox") \
            comes before the lines of its messages ("kind": "message"). Bodies are text in \
            "body" where they are UTF-8, else base64 in "body64".

            EXAMPLES
              mailboxctl dump mail | gzip > mail.jsonl.gz
            """)

    @OptionGroup var location: StoreLocation

    static var positions: [Position<Self>] { [] }

    func execute(_ console: Console) async throws {
        try await location.withStore { store in
            try await store.dump { mailbox, head, message in
                guard let message else {
                    return try console.write(Self.line("mailbox", mailbox, head.jsonMembers))
                }
                try console.write(Self.line("message", mailbox, message.jsonMembers))
            }
        }
    }

    private static func line(
        _ kind: String, _ mailbox: MailboxID, _ members: [(key: String, value: JSON)]
    ) -> JSON {
        .object([("kind", .string(kind))] + mailbox.jsonMembers + members)
    }
}
