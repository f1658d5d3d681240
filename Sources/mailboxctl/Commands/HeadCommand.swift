import ArgumentParser
import Mailbox

/// `mailboxctl head`
struct HeadCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "head",
        abstract: "Shows what the store knows of a mailbox.",
        usage: Self.usage("head", "SENDER RECEIVER"),
        discussion: """
            With --device it also tells that device's last client sequence: after a failure, the \
            device sends again what is above it.

            EXAMPLES
              mailboxctl head mail anna bert
              mailboxctl head mail anna bert --device phone --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var names: MailboxArguments

    @Option(help: "Also show the last client sequence of this device.")
    var device: String?

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { mailbox(\.names) }

    func execute(_ console: Console) async throws {
        let mailbox = try names.mailbox
        let device = try device.map { try DeviceID($0) }
        let (head, last, epoch) = try await location.withStore { store in
            var last: ClientSequence?
            let messages = store.messages
            if let device { last = try await messages.sendState(mailbox, device: device) }
            return (try await messages.head(mailbox), last, try await messages.epoch)
        }
        if output.json {
            var members = mailbox.jsonMembers + head.jsonMembers
            members.append(("epoch", .string(epoch.description)))
            if let last { members.append(("lastClientSequence", .number(last))) }
            return try console.write(.object(members))
        }
        var facts: [(name: String, value: String)] = [
            ("mailbox", mailbox.description),
            ("max sequence", "\(head.max)"),
            ("acknowledged", "\(head.acknowledged)"),
            ("floor", "\(head.floor)"),
            ("waiting", "\(head.waitingCount)"),
            ("stored", "\(head.storedCount), \(Text.bytes(head.bodyBytes))"),
            ("newest", Text.time(milliseconds: head.newestTimestampMilliseconds)),
            ("epoch", epoch.description),
        ]
        if let last { facts.append(("last client sequence", "\(last)")) }
        try console.write(Table.facts(facts))
    }
}
