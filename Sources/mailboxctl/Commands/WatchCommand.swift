import ArgumentParser
import Mailbox

/// `mailboxctl watch`
struct WatchCommand: EndlessCommand {
    static let configuration = CommandConfiguration(
        commandName: "watch",
        abstract: "Shows when mailboxes of receivers move: what waits first, then live.",
        usage: Self.usage("watch", "RECEIVER..."),
        discussion: """
            A line for each mailbox with messages waiting, "caught up", then a line whenever a \
            message is stored or confirmed. Moves of one mailbox that come quickly are one line, \
            with its newest state. Ends with Ctrl-C, --count or --until-caught-up. A daemon that \
            goes away is waited for: then everything that waits comes again, and another "caught \
            up". On a directory nobody else can write meanwhile.

            EXAMPLES
              mailboxctl watch --connect localhost:7180 bert
              mailboxctl watch --connect unix:/run/mailbox/store.socket bert carla --json
              mailboxctl watch mail bert --until-caught-up
            """)

    @OptionGroup var location: StoreLocation

    @Argument(help: "Whose mailboxes: 1 to 10 000 receivers.")
    var receivers: [String] = []

    @Option(help: "End after this many lines of mailboxes.")
    var count: Int?

    @Flag(help: "End when everything that waits was shown.")
    var untilCaughtUp = false

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { [] }

    mutating func validate() throws {
        if location.connection.connect != nil, let first = location.store {
            receivers.insert(first, at: 0)
            location.store = nil
        }
        try settle()
        guard !receivers.isEmpty else {
            throw ValidationError("RECEIVER is missing: name one or more.")
        }
        if let count, count < 1 {
            throw ValidationError("--count is \(count); it must be 1 or more.")
        }
    }

    func execute(_ console: Console) async throws {
        let addresses = try receivers.map { try Address($0) }
        try await location.withStore { store in
            var shown = 0
            for try await event in try await store.messages.watch(addresses) {
                try show(event, on: console)
                // Whoever reads along sees each line when it is there.
                try console.flush()
                switch event {
                case .caughtUp: if untilCaughtUp { return }
                case .head:
                    shown += 1
                    if shown == count { return }
                }
            }
        }
    }

    private func show(_ event: WatchEvent, on console: Console) throws(Failure) {
        switch event {
        case .caughtUp where output.json:
            try console.write(.object([("kind", .string("caughtUp"))]))
        case .caughtUp:
            try console.write("caught up")
        case .head(let mailbox, let head) where output.json:
            try console.write(
                .object([("kind", .string("head"))] + mailbox.jsonMembers + head.jsonMembers))
        case .head(let mailbox, let head):
            try console.write(
                "\(mailbox): max \(head.max), acknowledged \(head.acknowledged), "
                    + "\(Text.count(head.waitingCount)) wait")
        }
    }
}
