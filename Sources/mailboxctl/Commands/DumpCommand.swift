import ArgumentParser
import Mailbox
import StoreEngine

/// `mailboxctl dump`
struct DumpCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "dump",
        abstract: "Writes every mailbox and every message as JSON lines.",
        discussion: """
            In order of receiver, sender and sequence. A mailbox's line ("kind": "mailbox") \
            comes before the lines of its messages ("kind": "message"). Bodies are text in \
            "body" where they are UTF-8, else base64 in "body64".

            EXAMPLES
              mailboxctl dump mail | gzip > mail.jsonl.gz
            """)

    @OptionGroup var location: StoreLocation

    func execute(_ console: Console) async throws {
        try await location.withStore { store in
            var current: MailboxID?
            var failure: Failure?
            do throws(StoreError) {
                try store.dump { (mailbox, head, message) throws(StoreError) in
                    do throws(Failure) {
                        if mailbox != current {
                            current = mailbox
                            try console.write(Self.line("mailbox", mailbox, head.jsonMembers))
                        }
                        if let message {
                            try console.write(Self.line("message", mailbox, message.jsonMembers))
                        }
                    } catch {
                        failure = error
                        throw StoreError(code: .failed, message: error.message)
                    }
                }
            } catch {
                // The output's own failure says more than the one that stopped the dump.
                throw failure ?? Failure(store: error)
            }
        }
    }

    private static func line(
        _ kind: String, _ mailbox: MailboxID, _ members: [(key: String, value: JSON)]
    ) -> JSON {
        .object([("kind", .string(kind))] + mailbox.jsonMembers + members)
    }
}
