import ArgumentParser
import Mailbox
import StoreEngine

/// `mailboxctl restore`
struct RestoreCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "restore",
        abstract: "Makes a store out of a backup, with a new epoch.",
        discussion: """
            The restored store may give out sequences that the lost one gave out before. Its new \
            epoch says so: a receiver's old cursor is refused, and it synchronises again. On \
            directories alone: no daemon swaps its store while it runs.

            EXAMPLES
              mailboxctl restore backups/2026-11-23 mail
            """)

    @Argument(help: "The directory that `backup` made.", completion: .directory)
    var backup: String

    @Argument(help: "The directory of the store to be; must not exist, or be empty.")
    var store: String

    @Option(help: .hidden)
    var connect: String?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        guard connect == nil else {
            throw ValidationError(
                "restore works on directories alone: restore beside the daemon's store, then start "
                    + "a daemon on the new directory.")
        }
    }

    func execute(_ console: Console) async throws {
        try StoreLocation.checkExisting(backup, as: "backup")
        try StoreLocation.checkCreatable(store)
        let epoch = try MailboxStore.restore(from: backup, to: store)
        if output.json {
            return try console.write(
                .object([
                    ("backup", .string(backup)), ("store", .string(store)),
                    ("epoch", .string(epoch.description)),
                ]))
        }
        try console.write("\(store): restored, epoch \(epoch)")
    }
}
