import ArgumentParser
import Mailbox

/// `mailboxctl drain`
struct DrainCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "drain",
        abstract: "Fetches and confirms, as every receiver, until nothing waits.",
        usage: Self.usage("drain"),
        discussion: """
            It stands for the receivers: afterwards no message waits for them any more. For \
            trials and measurements, not for a store that people use.

            EXAMPLES
              mailboxctl drain mail
              mailboxctl drain mail --limit 1000 --concurrency 4 --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var limit: LimitOptions

    @Option(help: "How many receivers ask at the same time.")
    var concurrency = 4

    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { [] }

    mutating func validate() throws {
        try settle()
        guard (1...1_024).contains(concurrency) else {
            throw ValidationError("--concurrency is \(concurrency); it must be 1 to 1024.")
        }
    }

    func execute(_ console: Console) async throws {
        let report = try await location.withStore { store in
            var drainer = Drainer(store: store, limit: limit.page, concurrency: concurrency)
            if console.showsProgress {
                drainer.expectedMessages = try await Census(of: store).waiting
            }
            return try await drainer.drain(on: console)
        }
        if output.json { return try console.write(.object(report.jsonMembers)) }
        let seconds = report.seconds
        try console.write(
            Table.facts([
                ("mailboxes", Text.count(report.mailboxes)),
                ("messages", "\(Text.count(report.messages)), \(Text.bytes(report.bodyBytes))"),
                ("fetches", Text.count(report.fetches)),
                ("messages/s", Text.rate(report.messages, seconds: seconds)),
                ("fetches/s", Text.rate(report.fetches, seconds: seconds)),
                ("took", Text.duration(seconds: seconds)),
            ]))
    }
}

extension DrainReport {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("mailboxes", .number(mailboxes)),
            ("messages", .number(messages)),
            ("bodyBytes", .number(bodyBytes)),
            ("fetches", .number(fetches)),
            ("seconds", .decimal(seconds)),
        ]
    }
}
