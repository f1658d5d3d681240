import ArgumentParser

/// The daemon: one binary, one subcommand a role.
@main
struct Mailboxd: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "mailboxd",
        abstract: "Serves sequenced mailboxes.",
        discussion: """
            EXIT CODES
              0    ended as it was asked to
              64   the configuration is not understood
              65   the store is damaged
              69   an address is taken, or cannot be listened on
              70   an error in the daemon itself
              74   reading or writing failed, or no space is left
              75   another process has the store's directory
              77   no right to read or write
              130  a second SIGINT ended it at once
              143  a second SIGTERM ended it at once

            Errors are one line on standard error: mailboxd: CODE: MESSAGE
            """,
        version: Version.text,
        subcommands: [
            AllCommand.self, StoreCommand.self, SendCommand.self, RecvCommand.self,
            PushCommand.self, ConnectCommand.self,
        ])
}
