import ArgumentParser
import Foundation
import NIOCore
import NIOPosix

/// Drives a running `mailboxd all` as its devices would, and says what it measured as lines
/// `name: value`.
@main
struct EndToEndBench: AsyncParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "e2e-bench",
        abstract: "Measures a running `mailboxd all` with WebSocket clients.",
        discussion: """
            The devices are u0, u1 … and, idle ones, i0, i1 …; their tokens come from a file.

            EXAMPLES:
              e2e-bench --connect 127.0.0.1:7190 --tokens tokens --sizes sizes --section messages
            """)

    /// What is measured.
    enum Section: String, CaseIterable, ExpressibleByArgument {
        case messages
        case connections
    }

    @Option(help: "The server: HOST:PORT.")
    var connect: String

    @Option(help: "A file with a line NAME TOKEN for each device.")
    var tokens: String

    @Option(help: "A file with a line for each body: its size in bytes.")
    var sizes: String

    @Option(help: "What to measure: \(Section.allCases.map(\.rawValue).joined(separator: ", ")).")
    var section: Section

    @Option(help: "Devices that send and receive.")
    var clients = 1_000

    @Option(help: "Devices that are connected beside them, and do nothing.")
    var idle = 10_000

    @Option(help: "To how many others a device writes.")
    var peers = 10

    @Option(help: "Messages a second, where latency is measured.")
    var rate = 1_000.0

    @Option(help: "How long each measurement takes, in seconds.")
    var seconds = 20.0

    @Option(help: "The server's process, to read what it takes.")
    var server: Int?

    func validate() throws {
        guard clients > peers, peers > 0, idle > 0, rate > 0, seconds > 0 else {
            throw ValidationError("take numbers above 0, and more clients than peers")
        }
    }

    func run() async throws {
        let driver = try await makeDriver()
        switch section {
        case .messages: try await MessagesSection(driver: driver, command: self).run()
        case .connections: try await ConnectionsSection(driver: driver, command: self).run()
        }
    }

    private func makeDriver() async throws -> Driver {
        guard let colon = connect.lastIndex(of: ":"),
            let port = Int(connect[connect.index(after: colon)...])
        else { throw ValidationError("--connect takes HOST:PORT, not \(connect)") }
        let address = try SocketAddress(ipAddress: String(connect[..<colon]), port: port)
        let sizes = try String(contentsOfFile: sizes, encoding: .utf8).split(separator: "\n")
            .compactMap { Int($0) }
        var tokenOf: [String: String] = [:]
        for line in try String(contentsOfFile: tokens, encoding: .utf8).split(separator: "\n") {
            let parts = line.split(separator: " ")
            if parts.count == 2 { tokenOf[String(parts[0])] = String(parts[1]) }
        }
        let loop = MultiThreadedEventLoopGroup.singleton.next()
        return try await Driver(
            loop: loop, address: address, host: connect, sizes: sizes, tokens: tokenOf,
            clients: clients, idle: section == .connections ? idle : 0, peers: peers)
    }
}

/// Says a figure.
func say(_ name: String, _ value: Double, digits: Int = 0) {
    print("\(name): " + String(format: "%.\(digits)f", value))
}
