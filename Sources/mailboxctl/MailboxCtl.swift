import ArgumentParser

/// The tool for a store, in a directory or behind a daemon: one subcommand a file, in `Commands`.
@main
struct MailboxCtl: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailboxctl",
        abstract: "Writes, reads and looks after a store of sequenced mailboxes.",
        discussion: """
            A mailbox is the ordered pair (sender, receiver). Commands take the store's directory \
            first, or a daemon's address with --connect: HOST:PORT, [IPv6]:PORT or unix:PATH. One \
            process at a time has a store: while a daemon runs on it, commands on its directory \
            answer that it is locked.

            EXAMPLES
              mailboxctl append mail anna bert 'Good morning'
              mailboxctl fetch mail anna bert
              mailboxctl inbox mail bert
              mailboxctl fetch --connect localhost:7180 anna bert
              mailboxctl verify mail --json

            chat, send and receive are a device of an account: they keep its messages in a \
            database of their own, and speak to the server for devices.

            EXIT CODES
              0   done
              1   the store is damaged: verify found problems, or a command met bytes
                  that are not what was written; or deliver found that a message is
                  missing, doubled, out of order or damaged
              64  the command line is not understood
              65  the data was refused: an invalid argument, a bad trace line, a
                  cursor that is ahead or of another epoch, a body that is too large
              66  no such store or input file
              69  the store is not available: locked, overloaded, closed, or its daemon
                  cannot be reached
              70  an error in the tool itself
              74  reading or writing failed, or no space is left
              75  the connection to the daemon was lost before its answer: it may be done
                  once, or not at all; send: saved, and not accepted in time
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
                    HeadCommand.self, InboxCommand.self, WatchCommand.self,
                ]),
            CommandGroup(
                name: "A device",
                subcommands: [ChatCommand.self, SendCommand.self, ReceiveCommand.self]),
            CommandGroup(
                name: "Traces",
                subcommands: [
                    ReplayCommand.self, DrainCommand.self, DemoCommand.self, DeliverCommand.self,
                    BenchCommand.self,
                ]),
            CommandGroup(
                name: "The store",
                subcommands: [
                    StatsCommand.self, TopCommand.self, VerifyCommand.self, CompactCommand.self,
                    BackupCommand.self, RestoreCommand.self, DumpCommand.self,
                ]),
        ])
}
