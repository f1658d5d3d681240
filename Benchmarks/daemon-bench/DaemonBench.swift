import ArgumentParser
import Mailbox
import StoreAPI

/// Drives a running daemon as its clients would, and says what it measured as lines `name: value`.
///
/// Every figure goes through the public client but one: the unary append is made as a plain call of
/// the contract, since the client itself sends appends over a stream.
@main
struct DaemonBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "daemon-bench",
        abstract: "Measures a running `mailboxd store`.",
        discussion: """
            Bodies of 100 bytes, 100 000 mailboxes at random, every answer durable.

            EXAMPLES:
              daemon-bench --connect 127.0.0.1:7180 --section append-stream --seconds 8
            """)

    /// What is measured.
    enum Section: String, CaseIterable, ExpressibleByArgument {
        case appendStream = "append-stream"
        case appendUnary = "append-unary"
        case fetch
        case watch
        case clients
    }

    @Option(help: "The daemon: HOST:PORT.")
    var connect: String

    @Option(help: "How long to measure, in seconds.")
    var seconds: Double = 8

    @Option(help: "What to measure: \(Section.allCases.map(\.rawValue).joined(separator: ", ")).")
    var section: Section

    @Option(help: "Connections of the section 'clients'.")
    var clients = 1_000

    func validate() throws {
        guard seconds > 0, clients > 0 else { throw ValidationError("take numbers above 0") }
    }

    func run() async throws {
        let target = try Self.target(connect)
        switch section {
        case .appendStream: try await AppendStream(target: target, seconds: seconds).run()
        case .appendUnary: try await AppendUnary(target: target, seconds: seconds).run()
        case .fetch: try await Fetch(target: target, seconds: seconds).run()
        case .watch: try await Watch(target: target, seconds: seconds).run()
        case .clients: try await Clients(target: target, count: clients).run()
        }
    }

    private static func target(_ text: String) throws -> StoreClientConfiguration.Target {
        guard let colon = text.lastIndex(of: ":"), let port = Int(text[text.index(after: colon)...])
        else { throw ValidationError("--connect takes HOST:PORT, not \(text)") }
        let host = text[..<colon].filter { $0 != "[" && $0 != "]" }
        return .tcp(host: host, port: port)
    }
}

/// Says a figure.
func say(_ name: String, _ value: Double, digits: Int = 0) {
    let scale = (0..<digits).reduce(1.0) { scale, _ in scale * 10 }
    let scaled = Int((value * scale).rounded())
    guard digits > 0 else { return print("\(name): \(scaled)") }
    let fraction = String(scaled % Int(scale))
    let zeros = String(repeating: "0", count: digits - fraction.count)
    print("\(name): \(scaled / Int(scale)).\(zeros)\(fraction)")
}

/// Seconds as a number.
func elapsed(_ duration: Duration) -> Double { duration / .seconds(1) }

/// The `share` quantile of latencies, in milliseconds.
func milliseconds(_ latencies: [Duration], at share: Double) -> Double {
    let sorted = latencies.sorted()
    let place = min(sorted.count - 1, Int(Double(sorted.count) * share))
    return sorted[place] / .milliseconds(1)
}
