import Foundation
import Logging
import Mailbox
import MailboxClient
import ServerTesting

/// Messages that were saved offline go to the server, and to their receiver.
struct Drain {
    let directory: String
    let messages: Int
    let mailboxd: URL
    /// Whether the server keeps its default limit of requests a second.
    let isLimited: Bool

    private var name: String { isLimited ? "client.drain.default_limits" : "client.drain" }
    private var folder: String { directory + (isLimited ? "/limited" : "/free") }

    func run() async throws {
        try FileManager.default.createDirectory(
            atPath: folder, withIntermediateDirectories: true)
        let issuer = try TokenIssuer(path: folder + "/secret")
        let limits =
            isLimited
            ? []
            : [
                "--devices-requests-per-second", "1000000", "--devices-bytes-per-second", "1GiB",
            ]
        let server = try await ServerProcess.start(
            folder + "/store", issuer.arguments + ["--log-level", "error"] + limits,
            executable: mailboxd)
        try await drain(server, issuer)
        try await server.end(SIGTERM)
    }

    private func client(
        _ account: String, _ server: ServerProcess, _ issuer: TokenIssuer
    ) throws -> MailboxClient {
        try MailboxClient(
            path: "\(folder)/\(account).db",
            transport: WebSocketTransport(to: ServerAddress("ws://127.0.0.1:\(server.port)")),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() },
            tokens: { _ in try issuer.token(account) })
    }

    private func drain(_ server: ServerProcess, _ issuer: TokenIssuer) async throws {
        let count = isLimited ? max(1, messages / 5) : messages
        try await fill(server, issuer, count)
        // Another client on the same file: what filling took is not in the way.
        let sender = try client("anna", server, issuer)
        let before = residentMebibytes()
        var peak = before
        let clock = ContinuousClock()
        let start = clock.now
        await sender.start()
        while try await sender.statistics().waitingCount > 0 {
            peak = max(peak, residentMebibytes())
            try await Task.sleep(for: .milliseconds(5))
        }
        say("\(name).msgs_per_s", Double(count) / seconds(clock.now - start))
        let statistics = try await sender.statistics()
        say("\(name).connections", Double(statistics.connectionCount))
        guard statistics.acceptedCount == count, statistics.duplicateCount == 0 else {
            throw BenchFailure("not everything was accepted once")
        }
        try await sender.shutdown()
        if !isLimited {
            say("client.drain.rss_before_mib", before, digits: 1)
            say("client.drain.rss_peak_mib", peak, digits: 1)
            say("client.drain.rss_after_mib", residentMebibytes(), digits: 1)
            say("client.drain.rss_growth_mib", peak - before, digits: 1)
        }
        try await receive(server, issuer, count)
    }

    /// Saves messages while there is no connection; many at once share syncs.
    private func fill(_ server: ServerProcess, _ issuer: TokenIssuer, _ count: Int) async throws {
        let sender = try client("anna", server, issuer)
        let peer = try Address("bert")
        let body = [UInt8](repeating: 0x78, count: 100)
        let clock = ContinuousClock()
        let start = clock.now
        try await withThrowingTaskGroup(of: Void.self) { group in
            for task in 0..<min(256, count) {
                group.addTask {
                    for _ in stride(from: task, to: count, by: 256) {
                        _ = try await sender.send(body, to: peer)
                    }
                }
            }
            try await group.waitForAll()
        }
        if !isLimited { say("client.save.msgs_per_s", Double(count) / seconds(clock.now - start)) }
        try await sender.shutdown()
    }

    /// A receiver that was away for all of it: as fast as it stores, and as its app confirms.
    private func receive(
        _ server: ServerProcess, _ issuer: TokenIssuer, _ count: Int
    ) async throws {
        guard !isLimited else { return }
        let receiver = try client("bert", server, issuer)
        let before = residentMebibytes()
        var peak = before
        let clock = ContinuousClock()
        let start = clock.now
        await receiver.start()
        while try await receiver.statistics().receivedCount < count {
            peak = max(peak, residentMebibytes())
            // Each look counts what the app has not confirmed: rarely.
            try await Task.sleep(for: .milliseconds(50))
        }
        say("client.receive.msgs_per_s", Double(count) / seconds(clock.now - start))
        say("client.receive.rss_growth_mib", peak - before, digits: 1)
        let confirming = clock.now
        var last: UInt32 = 0
        for await message in receiver.messages {
            guard message.sequence == last + 1 else { throw BenchFailure("out of order") }
            last += 1
            // An app may confirm many with one: everything through it counts.
            if last % 64 == 0 || last == count { try await receiver.confirm(message) }
            if last == count { break }
        }
        say("client.confirm.msgs_per_s", Double(count) / seconds(clock.now - confirming))
        try await receiver.shutdown()
    }
}
