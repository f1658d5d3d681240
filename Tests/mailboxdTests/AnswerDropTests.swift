import Foundation
import MailboxClient
import Testing

/// A proxy between devices and `mailboxd all` drops three of ten messages of the server (answers,
/// welcomes, pushes), and cuts a connection with one in two hundred. Each message that was sent
/// ends with one sequence.
///
/// `MAILBOX_DROP_SENDS` sets how many are sent.
@Suite("Answers that are lost on the way")
struct AnswerDropTests {
    @Test("Each message is stored once and arrives once, though three answers of ten are lost")
    func dropped() async throws {
        let environment = ProcessInfo.processInfo.environment
        let count = Int(environment["MAILBOX_DROP_SENDS"] ?? "").map { max(1, $0) } ?? 3_000
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("dropped(): seed \(seed), \(count) messages")
        let directory = try TestDirectory()
        let mint = try TokenMint(in: directory)
        let daemon = try await Daemon.start(
            role: "all",
            ["--directory", directory.file("store"), "--connect-port", "0"]
                + Cluster.engineArguments
                + ["--tokens-key", mint.secretPath, "--tokens-algorithm", "HS256"])
        try #require(daemon.isReady)
        let proxy = try await DroppingProxy.start(
            to: daemon.devicePort, dropped: 30, cut: 5, seed: seed)
        var timing = SessionTiming()
        timing.connectMilliseconds = 500
        timing.answerMilliseconds = 500
        timing.backoffInitialMilliseconds = 20
        timing.backoffMaximumMilliseconds = 100
        timing.syncMilliseconds = 1_000
        let load = try DeviceLoad(
            8, ports: [proxy.port], in: directory, mint: mint, timing: timing, window: 256,
            messages: count)
        let began = ContinuousClock.now
        try await load.run { try await load.untilSent() }
        let took = ContinuousClock.now - began
        try await proxy.stop()
        let end = try await daemon.stop()
        #expect(end.status == 0, "\(end.notes)")
        let seen = load.history.seen
        #expect(seen.violations.isEmpty, "\(seen.violations.prefix(5))")
        #expect(seen.acceptedCount == count)
        try load.check(store: directory.file("store"))
        let counts = proxy.counts
        #expect(counts.dropped > counts.passed / 4)
        print(
            "dropped(): \(count) sent, one sequence each, \(seen.acceptedWithSequence) of them "
                + "told by an answer; \(counts.passed) messages of the server passed, "
                + "\(counts.dropped) dropped, \(counts.cut) cuts, \(counts.connections) "
                + "connections; \(took)")
    }
}
