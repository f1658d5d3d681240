import ArgumentParser
import Mailbox

/// `mailboxctl ack`
struct AckCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "ack",
        abstract: "Confirms everything through a sequence, without reading.",
        usage: Self.usage("ack", "SENDER RECEIVER SEQUENCE"),
        discussion: """
            EXAMPLES
              mailboxctl ack mail anna bert 150 --epoch 6f0c41d2a97be358
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var names: MailboxArguments

    @Argument(help: "Everything through this sequence is confirmed.")
    var sequence: String?

    @Option(help: "The epoch that the sequence belongs to, as an earlier answer told it.")
    var epoch: String

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] {
        mailbox(\.names) + [Position(argument: \.sequence, name: "SEQUENCE")]
    }

    mutating func validate() throws {
        try settle()
        _ = try parsedSequence
    }

    private var parsedSequence: SequenceNumber {
        get throws {
            guard let sequence, let number = SequenceNumber(sequence) else {
                throw ValidationError("SEQUENCE is a whole number from 0 to \(SequenceNumber.max).")
            }
            return number
        }
    }

    func execute(_ console: Console) async throws {
        let mailbox = try names.mailbox
        let cursor = Cursor(try parsedSequence, epoch: try Epoch(epoch))
        let head = try await location.withStore { store in
            try await store.messages.acknowledge(mailbox, through: cursor)
        }
        if output.json {
            try console.write(.object(mailbox.jsonMembers + head.jsonMembers))
        } else {
            let waiting = "\(Text.count(head.waitingCount)) of \(Text.count(head.max)) wait"
            try console.write("\(mailbox): acknowledged \(head.acknowledged), \(waiting)")
        }
    }
}
