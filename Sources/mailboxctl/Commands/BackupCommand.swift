import ArgumentParser
import Mailbox

/// `mailboxctl backup`
struct BackupCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "backup",
        abstract: "Copies a store into a new directory.",
        usage: Self.usage("backup", "DIRECTORY"),
        discussion: """
            The directory must not exist, or be empty. The copy is brought back by `restore`, \
            which gives it an epoch of its own; never open the copy itself in place of the store.

            EXAMPLES
              mailboxctl backup mail backups/2026-11-23
            """)

    @OptionGroup var location: StoreLocation

    @Argument(help: "The directory that the copy goes into.", completion: .directory)
    var destination: String?

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] {
        [Position(argument: \.destination, name: "DIRECTORY")]
    }

    func execute(_ console: Console) async throws {
        let destination = self.destination ?? ""
        try StoreLocation.checkCreatable(destination)
        let report = try await location.withStore { store in
            try await store.backup(to: destination)
        }
        if output.json {
            return try console.write(
                .object([
                    ("store", .string(location.name)), ("backup", .string(destination)),
                    ("diskBytes", .number(report.diskBytes)),
                    ("epoch", .string(report.epoch.description)),
                ]))
        }
        try console.write("\(destination): \(Text.bytes(report.diskBytes)) on disk")
    }
}
