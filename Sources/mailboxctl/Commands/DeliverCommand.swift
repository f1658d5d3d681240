import ArgumentParser
import Mailbox
import MailboxClient
import StoreAPI

/// `mailboxctl deliver`: what `make demo` shows.
struct DeliverCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "deliver",
        abstract: "Replays a trace through devices: one WebSocket for each person in it.",
        discussion: """
            Each message is sent by its sender's device, pushed to its receiver's or fetched by \
            it, applied and confirmed. Now and then a device's connection is cut; it comes back, \
            sends again what was not answered, and fetches what it missed. In the end every \
            message must have arrived once, in its order, with its bytes; else the exit code is \
            1. With --connect the store behind is verified, too.

            Tokens are made with the server's own secret (tokens.key, HS256). A run sends as a \
            device that no run before had, so it may be repeated on the same store.

            EXAMPLES
              mailboxctl deliver ws://127.0.0.1:7190 --secret tokens.secret --generate 10000
              mailboxctl deliver ws://127.0.0.1:7190 ws://127.0.0.1:7192 --secret tokens.secret \\
                --trace messages.tsv.gz --connect 127.0.0.1:7180
            """)

    @Argument(help: "Where devices connect: ws://HOST:PORT, one or several of one system.")
    var servers: [String]

    @Option(help: "The file of the secret that tokens are signed with.", completion: .file())
    var secret: String

    @Option(help: "The secret's name in tokens: tokens.keyId of the server.")
    var keyID = "main"

    @Option(help: "The trace to replay; without one, messages are made up.", completion: .file())
    var trace: String?

    @Option(help: "Made up: so many messages.")
    var generate: Int?

    @Option(help: "Made up: among at most this many mailboxes.")
    var mailboxes = 20_000

    @Option(help: "Made up: the same seed makes the same messages.")
    var seed: UInt64 = 1

    @Option(help: "Messages that wait for their answers at once, over all devices.")
    var window = 1_024

    @Option(help: "A connection is cut after every so many messages; 0: none is.")
    var cutEvery = 100

    @Option(help: "How long nothing may come forward before the rest counts as missing.")
    var patience = DurationArgument(seconds: 30)

    @OptionGroup(title: "The store behind") var connection: ConnectionOptions
    @OptionGroup var output: OutputOptions

    /// Messages that are made up when nothing says how many.
    private static let standardCount = 50_000

    func validate() throws {
        guard trace == nil || generate == nil else {
            throw ValidationError("Name --trace or --generate, not both.")
        }
        guard (generate ?? 0) >= 0, mailboxes >= 1 else {
            throw ValidationError("--generate is from 0, --mailboxes from 1.")
        }
        guard (1...1_000_000).contains(window) else {
            throw ValidationError("--window is \(window); it must be 1 to 1000000.")
        }
        guard cutEvery >= 0 else { throw ValidationError("--cut-every is from 0.") }
        guard !servers.isEmpty else { throw ValidationError("Name at least one server.") }
    }

    /// Everything that a run found.
    struct Report {
        var counts: DeliveryLedger.Counts
        var toAccepted: LatencyHistogram
        var toDelivered: LatencyHistogram
        var mailboxes = 0
        var accounts = 0
        var cuts = 0
        var seconds = 0.0
        var verify: VerifySummary?
        /// Messages that no receiver confirmed, as the store has it.
        var waiting: Int?
    }

    func execute(_ console: Console) async throws {
        if let trace { _ = try FileSource(path: trace) }
        let fleet = DeviceFleet(try configuration())
        OpenFiles.raiseLimit()
        defer { fleet.end() }
        var report: Report
        if let trace {
            let reader = try TraceReader(
                path: trace, bodyBytesMaximum: 256 << 10, skipsBadLines: false)
            report = try await deliver(reader, through: fleet, console)
        } else {
            let generator = TraceGenerator(
                count: generate ?? Self.standardCount, mailboxCount: mailboxes, seed: seed)
            report = try await deliver(generator, through: fleet, console)
        }
        if let configuration = connection.configuration {
            let (verify, waiting) = try await withStoreClient(configuration) { client in
                let store = DaemonStore(client: client)
                let verify = try await VerifyCommand.verify(store, console)
                return (verify, try await Census(of: store).waiting)
            }
            (report.verify, report.waiting) = (verify, waiting)
        }
        if output.json {
            try console.write(.object(report.jsonMembers))
        } else {
            try console.write(Table.facts(report.facts))
        }
        try check(report)
    }

    private func configuration() throws -> DeviceFleet.Configuration {
        var transports: [any ClientTransport] = []
        for server in servers {
            do {
                transports.append(try WebSocketTransport(to: ServerAddress(server)))
            } catch {
                throw Failure.invalidArgument("\(server): \(error.message)")
            }
        }
        let number = UInt64.random(in: .min ... .max)
        var configuration = DeviceFleet.Configuration(
            transports: transports, tokens: try AccountTokens(path: secret, keyID: keyID),
            device: try DeviceID("deliver-" + String(number, radix: 16)))
        configuration.sendsMaximum = window
        return configuration
    }

    private func deliver(
        _ trace: some TraceSource, through fleet: DeviceFleet, _ console: Console
    ) async throws -> Report {
        var trace = trace
        var meter = ProgressMeter("deliver", counting: "messages", on: console)
        var sent = 0
        let guardian = Task { await fleet.watch(patience: .milliseconds(patience.milliseconds)) }
        defer { guardian.cancel() }
        while let record = try trace.next(), try await fleet.send(record) {
            sent += 1
            if cutEvery > 0, sent % cutEvery == 0 { fleet.cutOne() }
            meter.update(count: sent, fraction: trace.fraction)
        }
        try await fleet.settle()
        let seconds = meter.seconds
        meter.finish()
        let ledger = fleet.ledger
        return Report(
            counts: ledger.counts, toAccepted: ledger.toAccepted, toDelivered: ledger.toDelivered,
            mailboxes: ledger.mailboxCount, accounts: fleet.accountCount, cuts: fleet.cutCount,
            seconds: seconds)
    }

    private func check(_ report: Report) throws(Failure) {
        let counts = report.counts
        guard counts.isPerfect else {
            throw Failure(
                code: "notDelivered",
                message: "of \(counts.sent) messages \(counts.accepted) were accepted, "
                    + "\(counts.delivered) delivered, \(counts.confirmed) confirmed; "
                    + "\(counts.doubled) doubled, \(counts.outOfOrder) out of order, "
                    + "\(counts.damaged) damaged, \(counts.missing) missing",
                status: .problems)
        }
        if let verify = report.verify, !verify.isSound {
            throw Failure(
                code: "problemsFound", message: "verify found \(verify.problemCount)",
                status: .problems)
        }
    }
}

extension DeliverCommand.Report {
    var facts: [(name: String, value: String)] {
        let counts = counts
        var facts = [
            (name: "people", value: "\(Text.count(accounts)), each on a WebSocket"),
            ("connections cut", "\(Text.count(cuts)), and back"),
            ("mailboxes", Text.count(mailboxes)),
            ("sent", "\(Text.count(counts.sent)), \(Text.bytes(counts.bodyBytes))"),
            ("accepted", Text.count(counts.accepted)),
            (
                "delivered",
                "\(Text.count(counts.delivered)): \(Text.count(counts.pushed)) pushed, "
                    + "\(Text.count(counts.fetched)) fetched"
            ),
            ("confirmed", Text.count(counts.confirmed)),
            ("doubled", Text.count(counts.doubled)),
            ("out of order", Text.count(counts.outOfOrder)),
            ("damaged", Text.count(counts.damaged)),
            ("missing", Text.count(counts.missing)),
            ("sent again, known", Text.count(counts.duplicates)),
            ("came again, dropped", Text.count(counts.repeated)),
            (
                "took",
                "\(Text.duration(seconds: seconds)), "
                    + "\(Text.rate(counts.delivered, seconds: seconds)) from end to end"
            ),
            ("send to ACK", Self.latency(toAccepted)),
            ("send to delivery", Self.latency(toDelivered)),
        ]
        if let verify {
            facts.append(
                (
                    "in the data file",
                    "\(Text.count(verify.mailboxes)) mailboxes, \(Text.count(verify.messages)) "
                        + "messages"
                ))
            facts.append(("unconfirmed in the store", Text.count(waiting ?? 0)))
            facts.append(("problems that verify found", Text.count(verify.problemCount)))
        }
        return facts
    }

    private static func latency(_ histogram: LatencyHistogram) -> String {
        let (half, most) = (histogram.quantile(0.5) * 1e3, histogram.quantile(0.99) * 1e3)
        return "p50 \(Text.decimal(half, digits: 1)) ms, p99 \(Text.decimal(most, digits: 1)) ms"
    }

    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("accounts", .number(accounts)),
            ("cuts", .number(cuts)),
            ("mailboxes", .number(mailboxes)),
            ("sent", .number(counts.sent)),
            ("bodyBytes", .number(counts.bodyBytes)),
            ("accepted", .number(counts.accepted)),
            ("pushed", .number(counts.pushed)),
            ("fetched", .number(counts.fetched)),
            ("confirmed", .number(counts.confirmed)),
            ("doubled", .number(counts.doubled)),
            ("outOfOrder", .number(counts.outOfOrder)),
            ("damaged", .number(counts.damaged)),
            ("missing", .number(counts.missing)),
            ("duplicates", .number(counts.duplicates)),
            ("repeated", .number(counts.repeated)),
            ("seconds", .decimal(seconds)),
            ("acceptedP50Milliseconds", .decimal(toAccepted.quantile(0.5) * 1e3)),
            ("acceptedP99Milliseconds", .decimal(toAccepted.quantile(0.99) * 1e3)),
            ("deliveredP50Milliseconds", .decimal(toDelivered.quantile(0.5) * 1e3)),
            ("deliveredP99Milliseconds", .decimal(toDelivered.quantile(0.99) * 1e3)),
            ("verify", verify.map { .object($0.jsonMembers) } ?? .null),
            ("waiting", waiting.map { .number($0) } ?? .null),
        ]
    }
}
