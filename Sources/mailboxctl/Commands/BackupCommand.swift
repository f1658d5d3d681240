import ArgumentParser
import Mailbox
import StoreEngine

/// `mailboxctl backup`
struct BackupCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies a store into a new directory.",
        discussion: """
            The directory must not exist, or be empty. The copy is brought back by `restore`, \
            which gives it an epoch of its own; never open the copy itself in place of the store.

            EXAMPLES
              mailboxctl backup mail backups/2026-11-23
            """)

    @OptionGroup var location: StoreLocation

    @Argument(help: "The directory that the copy goes into.", completion: .directory)
    var destination: String

    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws {
        try StoreLocation.checkCreatable(destination)
        let report = try await location.withStore { store in try store.backup(to: destination) }
        if output.json {
            return try console.write(
                .object([
                    ("store", .string(location.store)), ("backup", .string(destination)),
                    ("diskBytes", .number(report.bytes)),
                    ("epoch", .string(report.epoch.description)),
                ]))
        }
        try console.write("\(destination): \(Text.bytes(report.bytes)) on disk")
    }
}
