import ArgumentParser
import Mailbox

/// `mailboxctl stats`
struct StatsCommand: StoreCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Shows what the store holds and how it stands.",
        usage: Self.usage("stats"),
        discussion: """
            Counts every mailbox. "recovered" says what the journal brought back when the store \
            was opened just now: more than 0 after a crash.

            EXAMPLES
              mailboxctl stats mail
              mailboxctl stats mail --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var output: OutputOptions

    static var positions: [Position<Self>] { [] }

    func execute(_ console: Console) async throws {
        let facts = try await location.withStore { store in
            let census = try await Census(of: store)
            return Self.facts(census, try await store.standing())
        }
        if output.json {
            return try console.write(.object(facts.map { ($0.key, $0.value.json) }))
        }
        try console.write(Table.facts(facts.map { ($0.name, $0.value.text) }))
    }

    private typealias Fact = (key: String, name: String, value: Value)

    private enum Value: Sendable {
        case count(Int64)
        case bytes(Int64)
        /// Nobody tells it.
        case unknown
        case time(Int64)
        /// Nil where all is well.
        case text(String?)

        static func count(_ value: some BinaryInteger) -> Value { .count(Int64(clamping: value)) }
        static func bytes(_ value: some BinaryInteger) -> Value { .bytes(Int64(clamping: value)) }

        var json: JSON {
            switch self {
            case .count(let value), .bytes(let value), .time(let value): .integer(value)
            case .unknown: .null
            case .text(let text): text.map(JSON.string) ?? .null
            }
        }

        var text: String {
            switch self {
            case .count(let value): Text.count(value)
            case .bytes(let value): Text.bytes(value)
            case .time(let value): Text.time(milliseconds: value)
            case .unknown: "–"
            case .text(let text): text ?? "takes appends"
            }
        }
    }

    private static func facts(
        _ census: Census, _ standing: StoreStanding
    ) -> [Fact] {
        [
            ("epoch", "epoch", .text(standing.epoch.description)),
            ("shards", "shards", .count(standing.shardCount)),
            ("condition", "condition", .text(standing.condition)),
            ("mailboxes", "mailboxes", .count(census.mailboxes)),
            ("messages", "messages", .count(census.messages)),
            ("waiting", "waiting", .count(census.waiting)),
            ("bodyBytes", "bodies", .bytes(census.bodyBytes)),
            (
                "newestTimestampMilliseconds", "newest message",
                .time(census.newestTimestampMilliseconds)
            ),
            ("recoveredRecords", "recovered", .count(standing.recoveredRecords)),
            ("journalBytesUsed", "journal, used", .bytes(standing.journalBytesUsed)),
            ("journalBytesAllotted", "journal, allotted", .bytes(standing.journalBytesAllotted)),
            ("dataBytesUsed", "data, used", .bytes(standing.dataBytesUsed)),
            ("dataBytesFree", "data, free", .bytes(standing.dataBytesFree)),
            ("mapBytes", "data, address space", .bytes(standing.mapBytes)),
            ("diskBytes", "on disk", standing.diskBytes.map { .bytes($0) } ?? .unknown),
        ]
    }
}
