import ArgumentParser
import Glibc
import Mailbox

/// `mailboxctl append`
struct AppendCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "append",
        abstract: "Stores one message and says its sequence when it is durable.",
        usage: Self.usage("append", "SENDER RECEIVER [BODY]"),
        discussion: """
            Creates the store when the directory is missing or empty. With a device and its own \
            number for the message, the same append again stores nothing.

            EXAMPLES
              mailboxctl append mail anna bert 'Good morning'
              mailboxctl append mail anna bert --device phone --client-sequence 1 'Hello'
              gzip -c photo | mailboxctl append mail anna bert -
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var names: MailboxArguments

    @Argument(help: "The message; without it, or with -, it is read from standard input.")
    var body: String?

    @Option(help: "The sending device. Needs --client-sequence.")
    var device: String?

    @Option(help: "The device's own number for this message: 1, 2, 3 … Needs --device.")
    var clientSequence: ClientSequence?

    @OptionGroup var creation: CreationOptions
    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] {
        mailbox(\.names) + [Position(argument: \.body, name: "BODY", isRequired: false)]
    }

    mutating func validate() throws {
        try settle()
        try creation.check(location)
        guard (device == nil) == (clientSequence == nil) else {
            throw ValidationError("--device and --client-sequence go together.")
        }
    }

    func execute(_ console: Console) async throws {
        let append = try message()
        let result = try await location.withStore(creating: creation) { store in
            try await store.messages.append(append)
        }
        if output.json {
            try console.write(
                .object(
                    append.mailbox.jsonMembers + [
                        ("sequence", result.sequence.map(JSON.number) ?? .null),
                        ("isDuplicate", .bool(result.isDuplicate)),
                        ("durability", .string(result.durability.rawValue)),
                    ]))
        } else if result.isDuplicate {
            let original = result.sequence.map { " as sequence \($0)" } ?? ""
            try console.write("\(append.mailbox): stored before\(original); nothing stored now")
        } else {
            let sequence = result.sequence.map(String.init) ?? "–"
            try console.write(
                "\(append.mailbox): sequence \(sequence), durability \(result.durability.rawValue)")
        }
    }

    private func message() throws -> Append {
        let mailbox = try names.mailbox
        var producer: Producer?
        if let device, let clientSequence {
            producer = Producer(device: try DeviceID(device), clientSequence: clientSequence)
        }
        guard let body, body != "-" else {
            return Append(mailbox, producer: producer, body: try Self.standardInput())
        }
        return Append(mailbox, producer: producer, text: body)
    }

    /// Everything from standard input, no more than one byte beyond what any store takes.
    static func standardInput() throws(Failure) -> [UInt8] {
        let source = FileSource(standardInput: ())
        var bytes: [UInt8] = []
        let limit = (16 << 20) + 1
        while bytes.count < limit {
            let piece = try source.read(atMost: min(limit - bytes.count, 256 << 10))
            if piece.isEmpty { break }
            bytes += piece
        }
        return bytes
    }
}
