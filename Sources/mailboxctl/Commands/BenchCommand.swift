import ArgumentParser
import Mailbox
import StoreEngine
import Synchronization

/// `mailboxctl bench`
struct BenchCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "bench",
        abstract: "Measures appends and fetches on this machine, in a temporary store.",
        discussion: """
            A first impression of a disk in seconds. Appends are durable before they count. The \
            comparison with other stores is `make bench-engine`. It never writes into a store \
            that is there, so it has no --connect: a daemon is measured with `make bench-daemon`.

            EXAMPLES
              mailboxctl bench
              mailboxctl bench --directory /var/lib --messages 2000000 --body-bytes 400
            """)

    @Option(help: "How many messages in bulk.")
    var messages = 200_000

    @Option(help: "Among how many mailboxes, at random.")
    var mailboxes = 10_000

    @Option(help: "Bytes of each body.")
    var bodyBytes = 100

    @Option(help: "Messages in one call, in bulk.")
    var batch = 1_024

    @Option(help: "Tasks that each wait for their own append.")
    var tasks = 1_000

    @Option(help: "Where the temporary store is made: the disk to measure.", completion: .directory)
    var directory: String?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        let bounds: [(name: String, value: Int, range: ClosedRange<Int>)] = [
            ("--messages", messages, 1...1_000_000_000), ("--mailboxes", mailboxes, 1...10_000_000),
            ("--body-bytes", bodyBytes, 0...(256 << 10)), ("--batch", batch, 1...65_536),
            ("--tasks", tasks, 1...100_000),
        ]
        for bound in bounds where !bound.range.contains(bound.value) {
            throw ValidationError(
                "\(bound.name) is \(bound.value); it must be \(bound.range.lowerBound) to "
                    + "\(bound.range.upperBound).")
        }
    }

    func execute(_ console: Console) async throws {
        let figures = try await TemporaryDirectory.with(in: directory) { parent in
            var configuration = StoreConfiguration()
            configuration.mode = .create
            return try await StoreLocation.withStore(at: parent + "/store", configuration) {
                try await measure(DirectoryStore(store: $0, path: parent), console)
            }
        }
        if output.json {
            return try console.write(
                .object(figures.map { ($0.key, .decimal($0.value)) }))
        }
        var table = Table([("figure", .left), ("value", .right)])
        for figure in figures { table.add([figure.name, figure.text]) }
        try console.write(table)
    }

    private struct Figure {
        let key: String
        let name: String
        let value: Double
        let text: String

        static func rate(_ key: String, _ name: String, _ count: Int, _ seconds: Double) -> Figure {
            Figure(
                key: key, name: name, value: Double(count) / seconds,
                text: Text.rate(count, seconds: seconds))
        }

        static func latency(_ key: String, _ name: String, _ seconds: Double) -> Figure {
            Figure(
                key: key, name: name, value: seconds * 1e6,
                text: "\(Text.count(Int(seconds * 1e6))) µs")
        }
    }

    private func measure(_ opened: DirectoryStore, _ console: Console) async throws -> [Figure] {
        let store = opened.store
        var random = SplitMix64(state: 1)
        let ids = try (0..<mailboxes).map { number in
            try MailboxID(sender: "sender\(number)", receiver: "receiver\(number / 8)")
        }
        let body = (0..<bodyBytes).map { _ in UInt8(truncatingIfNeeded: random.next()) }
        let clock = ContinuousClock()

        var meter = ProgressMeter("append", counting: "messages", on: console)
        var sent = 0
        while sent < messages {
            let group = (0..<min(batch, messages - sent)).map { _ in
                Append(ids[Int(random.next() % UInt64(ids.count))], body: body)
            }
            for result in try await store.append(batch: group) { _ = try result.get() }
            sent += group.count
            meter.update(count: sent, fraction: Double(sent) / Double(messages))
        }
        let bulkSeconds = meter.seconds
        meter.finish()

        let rounds = 20
        let taskStart = clock.now
        try await appendInTasks(store, ids, body, rounds: rounds)
        let taskSeconds = taskStart.duration(to: clock.now) / .seconds(1)

        var latencies: [Double] = []
        for _ in 0..<1_000 {
            let mailbox = ids[Int(random.next() % UInt64(ids.count))]
            let start = clock.now
            _ = try await store.append(Append(mailbox, body: body))
            latencies.append(start.duration(to: clock.now) / .seconds(1))
        }
        latencies.sort()

        let drain = try await Drainer(
            store: opened, limit: .standard, concurrency: 2, expectedMessages: messages
        ).drain(on: console)
        return [
            .rate("bulkAppendsPerSecond", "append, \(batch) a call", messages, bulkSeconds),
            .rate(
                "taskAppendsPerSecond", "append, \(tasks) tasks, one each", tasks * rounds,
                taskSeconds),
            .latency("appendP50Microseconds", "append, one at a time, p50", latencies[500]),
            .latency("appendP99Microseconds", "append, one at a time, p99", latencies[990]),
            .rate("fetchesPerSecond", "fetch calls", drain.fetches, drain.seconds),
            .rate("fetchedPerSecond", "messages fetched", drain.messages, drain.seconds),
        ]
    }

    private func appendInTasks(
        _ store: MailboxStore, _ ids: [MailboxID], _ body: [UInt8], rounds: Int
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<tasks {
                group.addTask {
                    for round in 0..<rounds {
                        let mailbox = ids[(task &* 7919 &+ round) % ids.count]
                        _ = try await store.append(Append(mailbox, body: body))
                    }
                }
            }
            try await group.waitForAll()
        }
    }
}
