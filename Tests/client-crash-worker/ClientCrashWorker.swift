import Foundation
import Logging
import Mailbox
import MailboxClient

/// Works with a client's database until its work is done, or looks at what a cut left of one, for
/// `crash-test client-powercut`.
@main
enum ClientCrashWorker {
    static func main() async throws {
        let words = CommandLine.arguments
        switch words.dropFirst().first {
        case "work" where words.count == 6:
            try await Work(
                path: words[2], seed: UInt64(words[3]) ?? 0, run: words[4], past: words[5]
            ).run()
        case "check": Checking.run()
        default: Said.line("usage: work PATH SEED RUN PAST | check")
        }
    }
}

/// A device's day in a moment: it sends, receives and confirms, and is closed or dropped.
///
/// | line | what |
/// |---|---|
/// | `s peer body` | a message is about to be sent |
/// | `S id peer body` | `send` has returned: it is saved |
/// | `K peer id` | `confirm` has returned: through that row, nothing is delivered again |
private struct Work {
    let path: String
    let seed: UInt64
    let run: String
    /// A file with what was said before.
    let past: String

    private static let sends = 40

    private var bug: String { ProcessInfo.processInfo.environment["CLIENT_PLANTED_BUG"] ?? "" }

    func run() async throws {
        let lines = try String(contentsOfFile: past, encoding: .utf8).split(separator: "\n")
        let network = try LocalNetwork(
            past: lines, confirmsEarly: bug == "cursor-before-store")
        var random = SplitMix(state: seed)
        var configuration = ClientConfiguration()
        configuration.seed = seed
        configuration.sendsInFlightMaximum = 4
        configuration.pageMessagesMaximum = 3
        let client = try MailboxClient(
            path: path, transport: LocalNetwork.Transport(network: network),
            configuration: configuration,
            logger: Logger(label: "client") { _ in SwiftLogNoOpLogHandler() }
        ) { _ in "token" }
        // Some runs begin offline: the outbox fills.
        let isOffline = random.next() % 3 == 0
        if !isOffline { await client.start() }
        let first = random.next()
        let second = random.next()
        let reading = Task { await confirm(client, seed: second) }
        async let sending: Void = send(client, seed: first, name: "a")
        async let more: Void = send(client, seed: first &+ 1, name: "b")
        for number in 0..<Self.sends {
            let peer = LocalNetwork.peers[Int(random.next() % 3)]
            try network.push(peer, "\(run).p\(number)." + padding(&random))
            if random.next() % 3 == 0 { await Task.yield() }
            if isOffline, number == Self.sends / 2 { await client.start() }
        }
        _ = try await (sending, more)
        reading.cancel()
        // A kill instead of an orderly end, every other time.
        if random.next() % 2 == 0 { try await client.shutdown() }
        exit(0)
    }

    private func padding(_ random: inout SplitMix) -> String {
        // The server takes at most a thousand bytes.
        let count = random.next() % 4 == 0 ? random.next() % 900 : random.next() % 100
        return String(repeating: "x", count: Int(count))
    }

    private func send(_ client: MailboxClient, seed: UInt64, name: String) async throws {
        var random = SplitMix(state: seed)
        for number in 0..<Self.sends / 2 {
            let peer = LocalNetwork.peers[Int(random.next() % 3)]
            let body = "\(run).\(name)\(number)." + padding(&random)
            Said.line("s \(peer) \(body)")
            if bug == "promise-before-save" { Said.line("S 0 \(peer) \(body)") }
            let sent = try await client.send(Array(body.utf8), to: Address(peer))
            Said.line("S \(sent.id) \(peer) \(body)")
        }
    }

    private func confirm(_ client: MailboxClient, seed: UInt64) async {
        var random = SplitMix(state: seed)
        for await message in client.messages where random.next() % 4 == 0 {
            guard (try? await client.confirm(message)) != nil else { return }
            Said.line("K \(message.peer) \(message.id)")
        }
    }
}

/// Random numbers that a seed repeats exactly.
struct SplitMix {
    var state: UInt64
    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var z = state
        z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
        z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
        return z ^ (z >> 31)
    }
}
