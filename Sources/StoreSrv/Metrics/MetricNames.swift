/// Every metric of a served store.
public enum MetricNames {
    /// A metric, and what it tells.
    public struct Description: Sendable {
        /// Its name.
        public let name: String
        /// Its kind in Prometheus's words.
        public let kind: String
        /// What it tells, in one line.
        public let help: String

        init(_ name: String, _ kind: String, _ help: String) {
            self.name = name
            self.kind = kind
            self.help = help
        }
    }

    static let prefix = "mailbox_store_"
    static let appendSeconds = prefix + "append_seconds"
    static let fetchSeconds = prefix + "fetch_seconds"
    static let syncSeconds = prefix + "journal_sync_seconds"
    static let groupMessages = prefix + "group_messages"
    static let groupBytes = prefix + "group_bytes"
    static let checkpointSeconds = prefix + "checkpoint_seconds"
    static let checkpointProgress = prefix + "checkpoint_progress_ratio"
    static let fetchedMessages = prefix + "fetched_messages_total"
    static let fetchedBytes = prefix + "fetched_body_bytes_total"
    static let refusals = prefix + "refusals_total"

    /// All of them, in the order of the documentation.
    public static let all: [Description] = live + counts + sizes + server

    /// Recorded as it happens.
    private static let live: [Description] = [
        Description(
            appendSeconds, "histogram",
            "Time from an append's (or a frame of appends') arrival to its durable answer."),
        Description(fetchSeconds, "histogram", "Time that a fetch, read or sync took."),
        Description(fetchedMessages, "counter", "Messages that were handed out."),
        Description(fetchedBytes, "counter", "Body bytes that were handed out."),
        Description(refusals, "counter", "Calls and appends that were refused, by code."),
        Description(groupMessages, "histogram", "Messages in a group: one sync each."),
        Description(groupBytes, "histogram", "Bytes of a group in the journal."),
        Description(syncSeconds, "histogram", "Time that writing and syncing a group took."),
        Description(checkpointSeconds, "histogram", "Time that a checkpoint took."),
        Description(
            checkpointProgress, "gauge",
            "How much of a shard's last checkpoint is written, 0 to 1."),
    ]

    /// Read from the store when somebody asks.
    private static let counts: [Description] = StoreGauges.counts.map {
        Description(prefix + $0.name, "counter", $0.help)
    }

    private static let sizes: [Description] = StoreGauges.sizes.map {
        Description(prefix + $0.name, "gauge", $0.help)
    }

    private static let server: [Description] = ServerGauges.all.map {
        Description(prefix + $0.name, "gauge", $0.help)
    }
}
