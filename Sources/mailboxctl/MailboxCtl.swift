import ArgumentParser

/// The tool for a store's directory: one subcommand a file, in `Commands`.
@main
struct MailboxCtl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailboxctl",
        abstract: "Writes, reads and looks after a store of sequenced mailboxes.",
        discussion: """
            A mailbox is the ordered pair (sender, receiver). Every command takes the store's \
            directory first. One process at a time has a store: while a service runs on it, \
            commands answer that it is locked.

            EXAMPLES
              mailboxctl append mail anna bert 'Good morning'
              mailboxctl fetch mail anna bert
              mailboxctl inbox mail bert
              mailboxctl verify mail --json

            EXIT CODES
              0   done
              1   the store is damaged: verify found problems, or a command met bytes
                  that are not what was written
              64  the command line is not understood
              65  the data was refused: an invalid argument, a bad trace line, a
                  cursor that is ahead or of another epoch, a body that is too large
              66  no such store or input file
              69  the store is not available: locked, overloaded, closed
              70  an error in the tool itself
              74  reading or writing failed, or no space is left
              77  no right to read or write

            Errors are one line on standard error: mailboxctl: CODE: MESSAGE
            """,
        version: "0.1.0",
        subcommands: [],
        groupedSubcommands: [
            CommandGroup(
                name: "Messages",
                subcommands: [
                    AppendCommand.self, FetchCommand.self, ReadCommand.self, AckCommand.self,
                    HeadCommand.self, InboxCommand.self,
                ]),
            CommandGroup(
                name: "Traces",
                subcommands: [
                    ReplayCommand.self, DrainCommand.self, DemoCommand.self, BenchCommand.self,
                ]),
            CommandGroup(
                name: "The store",
                subcommands: [
                    StatsCommand.self, VerifyCommand.self, CompactCommand.self,
                    BackupCommand.self, RestoreCommand.self, DumpCommand.self,
                ]),
        ])
}
