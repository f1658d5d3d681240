import ArgumentParser
import Mailbox
import StoreEngine

/// `mailboxctl demo`: what `make run-engine` shows.
struct DemoCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "demo",
        abstract: "Replays a trace, fetches all, compacts, verifies, and shows the figures.",
        discussion: """
            Without --store it works in a temporary directory, which it removes. Without --trace \
            it makes messages up. Ends with exit code 1 when verify finds a problem or a message \
            is missing.

            EXAMPLES
              mailboxctl demo
              mailboxctl demo --trace messages.tsv.gz --store /var/tmp/mail
            """)

    @Option(help: "The trace to replay.", completion: .file())
    var trace: String?

    @Option(help: "Keep the store in this directory, which must not exist or be empty.")
    var store: String?

    @OptionGroup var replay: ReplayOptions
    @OptionGroup(title: "Without a trace") var generator: GeneratorOptions
    @OptionGroup var output: OutputOptions

    /// Everything that the demonstration measured.
    struct Report {
        var replay = ReplayReport()
        var again = ReplayReport()
        var drain = DrainReport()
        var compaction = CompactionReport()
        var verify: VerifySummary?
        var bytesBefore: Int64 = 0
        var bytesAfter: Int64 = 0
        /// Pages of the data files in use: a data file does not shrink, its free pages are used
        /// again.
        var usedBefore = 0
        var usedAfter = 0

        var problemCount: Int { Int(clamping: verify?.problemCount ?? 0) }
    }

    func validate() throws {
        if trace != nil, generator.generate != nil {
            throw ValidationError("Name --trace or --generate, not both.")
        }
        if trace == "-" {
            throw ValidationError("The trace is read twice, so it cannot be standard input.")
        }
    }

    func execute(_ console: Console) async throws {
        if let trace { _ = try FileSource(path: trace) }
        let report: Report
        if let store {
            try StoreLocation.checkCreatable(store)
            report = try await demonstrate(at: store, console)
        } else {
            report = try await TemporaryDirectory.with { parent in
                try await demonstrate(at: parent + "/store", console)
            }
        }
        try show(report, on: console)
        try check(report)
    }

    private func demonstrate(at path: String, _ console: Console) async throws -> Report {
        let clock = TraceClock()
        var configuration = StoreConfiguration.created
        configuration.mode = .create
        configuration.clock = clock
        return try await StoreLocation.withStore(at: path, configuration) { store in
            let opened = DirectoryStore(store: store, path: path)
            var report = Report()
            report.replay = try await replayOnce(into: opened, clock, console)
            report.again = try await replayOnce(into: opened, clock, console)
            var drainer = Drainer(store: opened, limit: .standard, concurrency: 2)
            drainer.expectedMessages = report.replay.stored
            report.drain = try await drainer.drain(on: console)
            try await store.checkpoint()
            report.bytesBefore = DiskUsage.bytes(of: path)
            report.usedBefore = try store.statistics().dataBytesUsed
            report.compaction = try await store.compact(.unacknowledged)
            try await store.checkpoint()
            report.bytesAfter = DiskUsage.bytes(of: path)
            report.usedAfter = try store.statistics().dataBytesUsed
            report.verify = try await VerifyCommand.verify(opened, console)
            return report
        }
    }

    private func replayOnce(
        into store: DirectoryStore, _ clock: TraceClock, _ console: Console
    ) async throws -> ReplayReport {
        let generator = generator.generator(count: generator.generate ?? 500_000)
        return try await replay.replay(
            path: trace, else: generator, into: store, clock: clock, on: console)
    }

    private func show(_ report: Report, on console: Console) throws {
        if output.json { return try console.write(.object(report.jsonMembers)) }
        let (replay, drain) = (report.replay, report.drain)
        try console.write(
            Table.facts([
                ("trace", trace ?? "made up, seed \(generator.seed)"),
                ("messages", "\(Text.count(replay.messages)), \(Text.bytes(replay.bodyBytes))"),
                ("mailboxes", Text.count(replay.mailboxes)),
                (
                    "appends",
                    Text.rate(replay.messages, seconds: replay.seconds)
                        + ", durable, in groups of \(Text.count(self.replay.batch))"
                ),
                ("stored by a second replay", Text.count(report.again.stored)),
                ("fetches", Text.rate(drain.fetches, seconds: drain.seconds)),
                ("messages by fetch", Text.rate(drain.messages, seconds: drain.seconds)),
                ("fetched in all", Text.count(drain.messages)),
                ("removed by compaction", Text.count(report.compaction.messagesRemoved)),
                ("bytes on disk before", Self.size(report.bytesBefore, used: report.usedBefore)),
                ("bytes on disk after", Self.size(report.bytesAfter, used: report.usedAfter)),
                ("problems that verify found", Text.count(report.problemCount)),
            ]))
        if let store { try console.write("the store is in \(store)") }
    }

    private static func size(_ bytes: Int64, used: Int) -> String {
        "\(Text.bytes(bytes)), \(Text.bytes(used)) of data in use"
    }

    private func check(_ report: Report) throws(Failure) {
        guard report.problemCount == 0 else {
            throw Failure(
                code: "problemsFound", message: "verify found \(report.problemCount)",
                status: .problems)
        }
        guard report.drain.messages == report.replay.stored, report.again.stored == 0 else {
            throw Failure(
                code: "problemsFound",
                message: "stored \(report.replay.stored) messages, fetched "
                    + "\(report.drain.messages), stored \(report.again.stored) again",
                status: .problems)
        }
    }
}

extension DemoCommand.Report {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("replay", .object(replay.jsonMembers)),
            ("secondReplay", .object(again.jsonMembers)),
            ("drain", .object(drain.jsonMembers)),
            ("compaction", .object(compaction.jsonMembers)),
            ("verify", .object(verify?.jsonMembers ?? [])),
            ("diskBytesBefore", .number(bytesBefore)),
            ("diskBytesAfter", .number(bytesAfter)),
            ("dataBytesUsedBefore", .number(usedBefore)),
            ("dataBytesUsedAfter", .number(usedAfter)),
        ]
    }
}
