/// Every key of `mailboxd store`, in the order in which they are shown.
enum StoreSettings {
    static let all: [Setting] = places + tls + limits + engine + process

    private static let places: [Setting] = [
        Setting("directory", .path, "", "the store's directory; must be set"),
        Setting("create", .boolean, "true", "create a store where none is"),
        Setting("listen.tcp", .boolean, "true", "take TCP connections"),
        Setting("listen.host", .text, "127.0.0.1", "the IPv4 or IPv6 address for them"),
        Setting("listen.port", .integer(0...65_535), "7180", "their port; 0 takes a free one"),
        Setting("listen.socket", .path, "", "a Unix socket's path; empty takes none"),
        Setting("metrics.enabled", .boolean, "true", "serve /metrics, /healthz and /readyz"),
        Setting("metrics.host", .text, "127.0.0.1", "the address for them"),
        Setting("metrics.port", .integer(0...65_535), "7181", "their port; 0 takes a free one"),
    ]

    private static let tls: [Setting] = [
        Setting("tls.certificate", .path, "", "the server's certificate (PEM); empty: no TLS"),
        Setting("tls.key", .path, "", "its private key (PEM)"),
        Setting(
            "tls.clientAuthority", .path, "",
            "serve only clients with a certificate of this authority (PEM); empty: all clients"),
    ]

    private static let limits: [Setting] = [
        Setting(
            "limits.requestBytes", .bytes((64 << 10)...(64 << 20)), "8MiB",
            "the largest request, or frame of a stream"),
        Setting("limits.connections", .integer(1...1_000_000), "4096", "connections at once"),
        Setting(
            "limits.streamsPerConnection", .integer(1...100_000), "128",
            "calls at once on one connection"),
        Setting(
            "limits.streamBytes", .bytes((64 << 10)...(1 << 30)), "8MiB",
            "unanswered appends of one stream, before it is no longer read"),
        Setting(
            "limits.appendBytes", .bytes((1 << 20)...(1 << 40)), "48MiB",
            "appends of all streams that wait for the journal, before none is taken; "
                + "below engine.queueBytes"),
        Setting(
            "limits.readThreads", .integer(1...256), "8", "reads that may wait for the disk"),
        Setting(
            "limits.readQueue", .integer(1...1_000_000), "4096",
            "reads that wait for a thread, before they are refused"),
        Setting(
            "limits.idleSeconds", .integer(0...86_400), "1800",
            "a connection without a call is closed after this time; 0: never"),
        Setting(
            "limits.ageSeconds", .integer(0...31_536_000), "0",
            "a connection is closed at this age; 0: never"),
        Setting(
            "limits.graceSeconds", .integer(1...86_400), "60",
            "what is under way on a connection that is closed for its age may go on so long"),
        Setting(
            "limits.keepaliveSeconds", .integer(1...86_400), "30",
            "a quiet connection is asked for a sign of life this often"),
        Setting(
            "limits.keepaliveTimeoutSeconds", .integer(1...3_600), "10",
            "without a sign of life after this time, it is closed"),
        Setting(
            "limits.pingSeconds", .integer(0...3_600), "10",
            "a client that asks for signs of life more often is cut off"),
    ]

    private static let engine: [Setting] = [
        Setting("engine.shards", .integer(1...64), "1", "shards of a store that is created"),
        Setting(
            "engine.durability", .choice(["commit", "interval", "system"]), "commit",
            "when an append is answered; anything but commit can lose answered messages"),
        Setting(
            "engine.syncIntervalMilliseconds", .integer(1...60_000), "100",
            "with durability interval: the longest time between syncs"),
        Setting(
            "engine.retention", .retention, "",
            "what compaction may remove; empty: what the store was last opened with"),
        Setting(
            "engine.messageBytes", .bytes(1...(16 << 20)), "256KiB", "the largest body"),
        Setting(
            "engine.batchMessages", .integer(1...1_048_576), "65536",
            "the most messages in one call or frame"),
        Setting(
            "engine.queueBytes", .bytes((1 << 20)...(1 << 40)), "64MiB",
            "appends that wait for a shard's journal, before they are refused"),
        Setting(
            "engine.pageMessages", .integer(1...1_000_000), "10000",
            "the most messages in one answer"),
        Setting(
            "engine.pageBytes", .bytes(1...(1 << 30)), "2MiB",
            "the most body bytes in one answer; most gRPC clients take 4MiB at most"),
        Setting(
            "engine.tailBytes", .bytes((1 << 20)...(1 << 40)), "512MiB",
            "memory of a shard for messages that wait for a checkpoint"),
        Setting(
            "engine.headCache", .integer(16...(1 << 30)), "262144",
            "mailboxes whose heads a shard keeps in memory"),
        Setting(
            "engine.checkpointIntervalMilliseconds", .integer(10...3_600_000), "10000",
            "the longest time between checkpoints"),
        Setting(
            "engine.checkpointJournalBytes", .bytes((64 << 10)...(1 << 40)), "512MiB",
            "journal bytes between checkpoints"),
        Setting(
            "engine.journalSegmentBytes", .bytes((64 << 10)...(1 << 30)), "32MiB",
            "the size of one journal segment"),
        Setting(
            "engine.mapBytesInitial", .bytes((1 << 20)...(1 << 46)), "64GiB",
            "address space of a data file at first; costs nothing"),
        Setting(
            "engine.mapBytes", .bytes((1 << 20)...(1 << 46)), "1TiB",
            "how large a data file may grow"),
        Setting(
            "engine.readers", .integer(1...65_535), "1024", "read transactions of a shard at once"),
        Setting("engine.watchers", .integer(1...(1 << 30)), "100000", "watches at once"),
        Setting(
            "engine.watchBacklog", .integer(1...(1 << 30)), "1024",
            "heads that wait for one slow watcher, before it lists them anew"),
    ]

    private static let process: [Setting] = [
        Setting(
            "log.level",
            .choice(["trace", "debug", "info", "notice", "warning", "error", "critical"]), "info",
            "the least that is logged"),
        Setting("log.format", .choice(["text", "json"]), "text", "how a log line is written"),
        Setting(
            "drain.seconds", .integer(1...3_600), "30",
            "after SIGTERM, what is under way may go on so long"),
    ]
}
