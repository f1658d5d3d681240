/// Every key of `mailboxd store`, in the order in which they are shown.
enum StoreSettings {
    static let all: [Setting] =
        directory + HostSettings.places(port: 7_180) + HostSettings.metrics(port: 7_181)
        + HostSettings.tls + HostSettings.limits + reads + engine + HostSettings.process

    /// Where the store is.
    static let directory: [Setting] = [
        Setting("directory", .path, "", "the store's directory; must be set"),
        Setting("create", .boolean, "true", "create a store where none is"),
    ]

    /// What the store's own calls may cost.
    static let reads: [Setting] = [
        Setting(
            "limits.appendBytes", .bytes((1 << 20)...(1 << 40)), "48MiB",
            "appends of all streams that wait for the journal, before none is taken; "
                + "below engine.queueBytes"),
        Setting(
            "limits.readThreads", .integer(1...256), "8", "reads that may wait for the disk"),
        Setting(
            "limits.readQueue", .integer(1...1_000_000), "4096",
            "reads that wait for a thread, before they are refused"),
    ]

    /// The engine itself.
    static let engine: [Setting] = [
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
}
