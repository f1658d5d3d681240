import ArgumentParser
import Foundation
import Mailbox
import MailboxClient
import ServerTesting

/// Measures the client library against a `mailboxd all` that it starts and ends, and says what it
/// measured as lines `name: value`.
@main
struct ClientBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "client-bench",
        abstract: "Measures the client library against a real server.",
        discussion: """
            Bodies of 100 bytes. Files go to a directory that is made and removed, and must be on \
            a disk: in memory a sync costs nothing.

            EXAMPLES:
              client-bench --directory .bench-tmp
              client-bench --messages 1000 --sends 100
            """)

    @Option(help: "Where files go; made, and removed with everything in it.")
    var directory = ".bench-tmp-client"

    @Option(help: "Messages that are drained.")
    var messages = 100_000

    @Option(help: "Single sends and syncs that are timed.")
    var sends = 2_000

    @Option(help: "The server's program.")
    var mailboxd = ServerProcess.beside.path(percentEncoded: false)

    func validate() throws {
        guard messages > 0, sends > 9 else { throw ValidationError("take larger numbers") }
    }

    func run() async throws {
        let manager = FileManager.default
        guard !manager.fileExists(atPath: directory) else {
            throw ValidationError("\(directory) is there; name a directory that is not")
        }
        try manager.createDirectory(atPath: directory, withIntermediateDirectories: true)
        defer { try? manager.removeItem(atPath: directory) }
        try await SendLatency(directory: directory, count: sends).run()
        // As the server comes, and with its limit of requests out of the way.
        for isLimited in [false, true] {
            try await Drain(
                directory: directory, messages: messages, mailboxd: URL(filePath: mailboxd),
                isLimited: isLimited
            ).run()
        }
    }
}

/// Says a figure.
func say(_ name: String, _ value: Double, digits: Int = 0) {
    print("\(name): " + String(format: "%.\(digits)f", value))
}

/// Seconds as a number.
func seconds(_ duration: Duration) -> Double { duration / .seconds(1) }

/// The middle one.
func median(_ durations: [Duration]) -> Duration { durations.sorted()[durations.count / 2] }

/// Anonymous resident memory of this process, in MiB: what its page cache holds is not counted.
func residentMebibytes() -> Double {
    guard let text = try? String(contentsOfFile: "/proc/self/status", encoding: .utf8),
        let line = text.split(separator: "\n").first(where: { $0.hasPrefix("RssAnon:") }),
        let kibibytes = line.split(whereSeparator: \.isWhitespace).dropFirst().first
            .flatMap({ Double($0) })
    else { return 0 }
    return kibibytes / 1_024
}

/// Why there is no figure.
struct BenchFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}
