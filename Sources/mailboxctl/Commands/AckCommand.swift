import ArgumentParser
import Mailbox
import StoreEngine

/// `mailboxctl ack`
struct AckCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "ack",
        abstract: "Confirms everything through a sequence, without reading.",
        discussion: """
            EXAMPLES
              mailboxctl ack mail anna bert 150 --epoch 6f0c41d2a97be358
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var names: MailboxArguments

    @Argument(help: "Everything through this sequence is confirmed.")
    var sequence: SequenceNumber

    @Option(help: "The epoch that the sequence belongs to, as an earlier answer told it.")
    var epoch: String

    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws {
        let mailbox = try names.mailbox
        let cursor = Cursor(sequence, epoch: try Epoch(epoch))
        let head = try await location.withStore { store in
            try store.acknowledge(mailbox, through: cursor)
        }
        if output.json {
            try console.write(.object(mailbox.jsonMembers + head.jsonMembers))
        } else {
            let waiting = "\(Text.count(head.waitingCount)) of \(Text.count(head.max)) wait"
            try console.write("\(mailbox): acknowledged \(head.acknowledged), \(waiting)")
        }
    }
}
