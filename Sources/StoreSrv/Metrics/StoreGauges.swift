internal import Metrics
internal import StoreEngine
internal import Synchronization

/// The metrics that are read from the store when somebody asks for them.
final class StoreGauges: Sendable {
    /// A count of the statistics.
    struct Count: Sendable {
        let name: String
        let help: String
        let value: @Sendable (StoreStatistics) -> UInt64
    }

    /// A size of the statistics.
    struct Size: Sendable {
        let name: String
        let help: String
        let value: @Sendable (StoreStatistics) -> Double
    }

    static let counts: [Count] = [
        Count(name: "appended_messages_total", help: "Messages that were stored.") {
            $0.appendedMessages
        },
        Count(name: "appended_body_bytes_total", help: "Their body bytes.") {
            $0.appendedBodyBytes
        },
        Count(
            name: "duplicates_total", help: "Appends that were answered as duplicates."
        ) { $0.duplicates },
        Count(name: "groups_total", help: "Groups that were written: one sync each.") {
            $0.groups
        },
        Count(name: "journal_bytes_written_total", help: "Bytes that were written to journals.") {
            $0.journalBytesWritten
        },
        Count(name: "checkpoints_total", help: "Checkpoints that were completed.") {
            $0.checkpoints
        },
        Count(
            name: "checkpoint_failures_total",
            help: "Checkpoints that failed, and were tried again."
        ) { $0.checkpointFailures },
        Count(name: "checkpointed_messages_total", help: "Messages that checkpoints wrote.") {
            $0.checkpointedMessages
        },
        Count(
            name: "never_checkpointed_messages_total",
            help: "Messages that were acknowledged before their checkpoint."
        ) { $0.neverCheckpointedMessages },
        Count(
            name: "recovered_records_total",
            help: "Records that the journals brought back when the store was opened."
        ) { $0.recoveredRecords },
        Count(name: "removed_messages_total", help: "Messages that retention removed.") {
            UInt64($0.removedMessages)
        },
    ]

    static let sizes: [Size] = [
        Size(name: "journal_used_bytes", help: "Journal bytes that wait for a checkpoint.") {
            Double($0.journalBytesUsed)
        },
        Size(
            name: "journal_allotted_bytes",
            help: "Bytes that the journals' segments take on disk."
        ) { Double($0.journalBytesAllotted) },
        Size(name: "queue_bytes", help: "Appends that wait for the journal.") {
            Double($0.queueBytes)
        },
        Size(name: "tail_bytes", help: "Memory for messages that wait for a checkpoint.") {
            Double($0.tailBytes)
        },
        Size(name: "mailboxes_in_memory", help: "Mailboxes in memory.") {
            Double($0.mailboxesInMemory)
        },
        Size(name: "data_used_bytes", help: "Pages of the data files in use.") {
            Double($0.dataBytesUsed)
        },
        Size(name: "data_free_bytes", help: "Free pages within the data files.") {
            Double($0.dataBytesFree)
        },
        Size(name: "map_bytes", help: "Address space of the data files.") {
            Double($0.mapBytes)
        },
        Size(name: "readers", help: "Read transactions under way.") { Double($0.readers) },
        Size(
            name: "oldest_reader_lag",
            help: "Transactions committed since the oldest reader began; it pins their pages."
        ) { Double($0.oldestReaderLag) },
        Size(name: "watchers", help: "Watches under way.") { Double($0.watchers) },
        Size(name: "taking_appends", help: "1 while every shard takes appends, else 0.") {
            $0.condition == nil ? 1 : 0
        },
    ]

    private let counters: [Counter]
    private let meters: [Meter]
    /// What the counters were told already.
    private let told = Mutex([UInt64](repeating: 0, count: counts.count))

    init(_ factory: any MetricsFactory) {
        counters = Self.counts.map {
            Counter(label: MetricNames.prefix + $0.name, factory: factory)
        }
        meters = Self.sizes.map { Meter(label: MetricNames.prefix + $0.name, factory: factory) }
    }

    /// Brings the metrics up to the statistics.
    func set(_ statistics: StoreStatistics) {
        told.withLock { told in
            for (place, count) in Self.counts.enumerated() {
                let value = count.value(statistics)
                if value > told[place] {
                    counters[place].increment(by: Int64(clamping: value - told[place]))
                    told[place] = value
                }
            }
        }
        for (place, size) in Self.sizes.enumerated() { meters[place].set(size.value(statistics)) }
    }
}

/// The metrics that are read from the server when somebody asks for them.
struct ServerGauges: Sendable {
    /// What they are read from.
    struct Values: Sendable {
        var mapHeadroomBytes = 0
        var calls = 0
        var connections = 0
        var appendCreditBytes = 0
        var readsWaiting = 0
        var isDraining = false
    }

    struct Value: Sendable {
        let name: String
        let help: String
        let value: @Sendable (Values) -> Double
    }

    static let all: [Value] = [
        Value(
            name: "map_headroom_bytes",
            help: "How much the data files may still grow, free pages included."
        ) { Double($0.mapHeadroomBytes) },
        Value(name: "calls_open", help: "Calls and streams under way.") { Double($0.calls) },
        Value(name: "connections_open", help: "Connections.") { Double($0.connections) },
        Value(
            name: "append_credit_bytes",
            help: "Appends of streams that wait for the journal, about."
        ) { Double($0.appendCreditBytes) },
        Value(name: "reads_waiting", help: "Calls that wait for a thread that reads.") {
            Double($0.readsWaiting)
        },
        Value(name: "draining", help: "1 while the server shuts down, else 0.") {
            $0.isDraining ? 1 : 0
        },
    ]

    private let meters: [Meter]

    init(_ factory: any MetricsFactory) {
        meters = Self.all.map { Meter(label: MetricNames.prefix + $0.name, factory: factory) }
    }

    func set(_ values: Values) {
        for (place, value) in Self.all.enumerated() { meters[place].set(value.value(values)) }
    }
}
