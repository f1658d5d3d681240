import ArgumentParser
import Mailbox
import StoreEngine

/// `mailboxctl stats`
struct StatsCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "stats",
        abstract: "Shows what the store holds and how it stands.",
        discussion: """
            Counts every mailbox. "recovered" says what the journal brought back when the store \
            was opened just now: more than 0 after a crash.

            EXAMPLES
              mailboxctl stats mail
              mailboxctl stats mail --json
            """)

    @OptionGroup var location: StoreLocation
    @OptionGroup var output: OutputOptions

    func execute(_ console: Console) async throws {
        let facts = try await location.withStore { store in
            let census = try Census(of: store)
            return Self.facts(of: store, census, try store.statistics())
        }
        let disk = (
            key: "diskBytes", name: "on disk",
            value: Value.bytes(DiskUsage.bytes(of: location.store))
        )
        if output.json {
            return try console.write(.object((facts + [disk]).map { ($0.key, $0.value.json) }))
        }
        try console.write(Table.facts((facts + [disk]).map { ($0.name, $0.value.text) }))
    }

    private typealias Fact = (key: String, name: String, value: Value)

    private enum Value {
        case count(Int64)
        case bytes(Int64)
        case time(Int64)
        /// Nil where all is well.
        case text(String?)

        static func count(_ value: some BinaryInteger) -> Value { .count(Int64(clamping: value)) }
        static func bytes(_ value: some BinaryInteger) -> Value { .bytes(Int64(clamping: value)) }

        var json: JSON {
            switch self {
            case .count(let value), .bytes(let value), .time(let value): .integer(value)
            case .text(let text): text.map(JSON.string) ?? .null
            }
        }

        var text: String {
            switch self {
            case .count(let value): Text.count(value)
            case .bytes(let value): Text.bytes(value)
            case .time(let value): Text.time(milliseconds: value)
            case .text(let text): text ?? "takes appends"
            }
        }
    }

    private static func facts(
        of store: MailboxStore, _ census: Census, _ statistics: StoreStatistics
    ) -> [Fact] {
        [
            ("epoch", "epoch", .text(store.epoch.description)),
            ("shards", "shards", .count(store.shardCount)),
            ("condition", "condition", .text(statistics.condition)),
            ("mailboxes", "mailboxes", .count(census.mailboxes)),
            ("messages", "messages", .count(census.messages)),
            ("waiting", "waiting", .count(census.waiting)),
            ("bodyBytes", "bodies", .bytes(census.bodyBytes)),
            (
                "newestTimestampMilliseconds", "newest message",
                .time(census.newestTimestampMilliseconds)
            ),
            ("recoveredRecords", "recovered", .count(statistics.recoveredRecords)),
            ("journalBytesUsed", "journal, used", .bytes(statistics.journalBytesUsed)),
            ("journalBytesAllotted", "journal, allotted", .bytes(statistics.journalBytesAllotted)),
            ("dataBytesUsed", "data, used", .bytes(statistics.dataBytesUsed)),
            ("dataBytesFree", "data, free", .bytes(statistics.dataBytesFree)),
            ("mapBytes", "data, address space", .bytes(statistics.mapBytes)),
        ]
    }
}
