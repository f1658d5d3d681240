import ArgumentParser
import Mailbox

/// `mailboxctl fetch`
struct FetchCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "fetch",
        abstract: "Confirms everything through a cursor and shows what comes after it.",
        usage: Self.usage("fetch", "SENDER RECEIVER"),
        discussion: """
            Fetching confirms the fetch before: the cursor says what the receiver holds. Cursor 0 \
            confirms nothing and may come without an epoch. To look without confirming, use `read`.

            EXAMPLES
              mailboxctl fetch mail anna bert
              mailboxctl fetch mail anna bert --cursor 20 --epoch 6f0c41d2a97be358 --limit 50
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var names: MailboxArguments
    @OptionGroup var cursor: CursorOptions
    @OptionGroup var limit: LimitOptions
    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { mailbox(\.names) }

    func execute(_ console: Console) async throws {
        let mailbox = try names.mailbox
        let cursor = try cursor.value
        let result = try await location.withStore { store in
            try await store.messages.fetch(mailbox, cursor: cursor, limit: limit.page)
        }
        if output.json {
            try console.write(result.json(of: mailbox))
        } else {
            try result.show(on: console)
        }
    }
}
