import Mailbox
import StoreAPI

/// What `top` shows of a daemon: two looks at its statistics, and the time between them.
struct TopFrame {
    let target: String
    let earlier: ServerStatistics
    let now: ServerStatistics
    /// Between the two looks, above 0.
    let seconds: Double

    private typealias Counter = KeyPath<ServerStatistics, UInt64>

    /// What was added between the looks. A daemon that was started anew counts from 0.
    private func added(_ counter: Counter) -> UInt64 {
        let (before, after) = (earlier[keyPath: counter], now[keyPath: counter])
        return after >= before ? after - before : after
    }

    private func rate(_ counter: Counter) -> Double { Double(added(counter)) / seconds }

    /// Messages in each group, over the time between the looks; 0 when there was none.
    private var messagesPerGroup: Double {
        let groups = added(\.groups)
        return groups == 0 ? 0 : Double(added(\.appendedMessages)) / Double(groups)
    }

    /// The screen's lines, cut to a width and a height.
    func lines(columns: Int, rows: Int) -> [String] {
        var lines = [
            "\(target)  up \(Text.duration(seconds: Double(now.uptimeMilliseconds) / 1_000))"
                + "  epoch \(now.epoch)  \(now.condition ?? "takes appends")", "",
        ]
        lines += facts.lines
        lines.append("")
        lines += latencies.lines
        if !now.busiest.isEmpty {
            lines.append("")
            lines += busiest.lines
        }
        return lines.prefix(max(rows, 1)).map { String($0.prefix(max(columns, 1))) }
    }

    private var facts: Table {
        func perSecond(_ counter: Counter) -> String {
            Text.rate(Int(clamping: added(counter)), seconds: seconds)
        }
        return Table.facts([
            (
                "appends",
                "\(perSecond(\.appendedMessages)), "
                    + "\(Text.bytes(Int64(rate(\.appendedBodyBytes))))/s, "
                    + "\(perSecond(\.duplicates)) duplicates"
            ),
            ("fetched", perSecond(\.fetchedMessages)),
            (
                "groups",
                "\(perSecond(\.groups)), \(Text.decimal(messagesPerGroup, digits: 1)) messages each"
            ),
            (
                "journal",
                "\(Text.bytes(Int64(rate(\.journalBytesWritten))))/s, "
                    + "\(Text.bytes(now.journalBytesUsed)) wait for a checkpoint"
            ),
            (
                "memory",
                "\(Text.bytes(now.tailBytes)) tails, \(Text.bytes(now.queueBytes)) queued, "
                    + "\(Text.count(now.mailboxesInMemory)) mailboxes"
            ),
            (
                "data",
                "\(Text.bytes(now.dataBytesUsed)) used, \(Text.bytes(now.dataBytesFree)) free, "
                    + "\(Text.bytes(now.mapBytes)) address space"
            ),
            (
                "checkpoints",
                "\(Text.count(now.checkpoints)), \(Text.count(now.checkpointFailures)) failed"
            ),
            ("readers", "\(now.readers), oldest behind by \(Text.count(now.oldestReaderLag))"),
            ("watchers", Text.count(now.watchers)),
        ])
    }

    private var latencies: Table {
        var table = Table([
            ("last 10 s", .left), ("count", .right), ("p50", .right), ("p99", .right),
            ("p99.9", .right), ("longest", .right),
        ])
        for (name, latency) in namedLatencies {
            table.add([
                name, Text.count(latency.count), Self.time(latency.p50Microseconds),
                Self.time(latency.p99Microseconds), Self.time(latency.p999Microseconds),
                Self.time(latency.maximumMicroseconds),
            ])
        }
        return table
    }

    private var busiest: Table {
        var table = Table([("busiest mailboxes", .left), ("appends/s", .right)])
        for entry in now.busiest {
            table.add([
                entry.mailbox.description, Text.decimal(entry.appendsPerSecond, digits: 1),
            ])
        }
        return table
    }

    private var namedLatencies: [(name: String, latency: ServerStatistics.Latency)] {
        [("append", now.appendLatency), ("fetch", now.fetchLatency), ("sync", now.syncLatency)]
    }

    private static func time(_ microseconds: UInt64) -> String {
        switch microseconds {
        case 0..<10_000: "\(microseconds) µs"
        case 10_000..<10_000_000: "\(microseconds / 1_000) ms"
        default: "\(microseconds / 1_000_000) s"
        }
    }
}

extension TopFrame {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("target", .string(target)),
            ("epoch", .string(now.epoch.description)),
            ("uptimeMilliseconds", .number(now.uptimeMilliseconds)),
            ("condition", now.condition.map(JSON.string) ?? .null),
            ("seconds", .decimal(seconds)),
            ("appendsPerSecond", .decimal(rate(\.appendedMessages))),
            ("bodyBytesPerSecond", .decimal(rate(\.appendedBodyBytes))),
            ("duplicatesPerSecond", .decimal(rate(\.duplicates))),
            ("fetchedPerSecond", .decimal(rate(\.fetchedMessages))),
            ("groupsPerSecond", .decimal(rate(\.groups))),
            ("messagesPerGroup", .decimal(messagesPerGroup)),
            ("journalBytesPerSecond", .decimal(rate(\.journalBytesWritten))),
            ("appendedMessages", .number(now.appendedMessages)),
            ("fetchedMessages", .number(now.fetchedMessages)),
            ("journalBytesUsed", .number(now.journalBytesUsed)),
            ("tailBytes", .number(now.tailBytes)),
            ("queueBytes", .number(now.queueBytes)),
            ("mailboxesInMemory", .number(now.mailboxesInMemory)),
            ("dataBytesUsed", .number(now.dataBytesUsed)),
            ("dataBytesFree", .number(now.dataBytesFree)),
            ("mapBytes", .number(now.mapBytes)),
            ("checkpoints", .number(now.checkpoints)),
            ("checkpointFailures", .number(now.checkpointFailures)),
            ("readers", .number(now.readers)),
            ("oldestReaderLag", .number(now.oldestReaderLag)),
            ("watchers", .number(now.watchers)),
            ("append", .object(Self.members(now.appendLatency))),
            ("fetch", .object(Self.members(now.fetchLatency))),
            ("sync", .object(Self.members(now.syncLatency))),
            (
                "busiest",
                .array(
                    now.busiest.map { entry in
                        .object(
                            entry.mailbox.jsonMembers + [
                                ("appendsPerSecond", .decimal(entry.appendsPerSecond))
                            ])
                    })
            ),
        ]
    }

    private static func members(
        _ latency: ServerStatistics.Latency
    ) -> [(key: String, value: JSON)] {
        [
            ("count", .number(latency.count)),
            ("p50Microseconds", .number(latency.p50Microseconds)),
            ("p99Microseconds", .number(latency.p99Microseconds)),
            ("p999Microseconds", .number(latency.p999Microseconds)),
            ("maximumMicroseconds", .number(latency.maximumMicroseconds)),
        ]
    }
}
