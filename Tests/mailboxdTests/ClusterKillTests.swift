import Foundation
import MailboxClient
import MailboxTesting
import Testing

/// Each process of a cluster is killed (SIGKILL) in turn, under load, and started again: the store,
/// and one or both of each other role. The oracle of FAILURES: what was accepted reaches its
/// receiver once and in order; at the end the store holds each message once.
///
/// `MAILBOX_KILLS` sets the number of rounds; each round kills every role once.
@Suite("The roles killed under load")
struct ClusterKillTests {
    private static let devices = 8

    /// How long devices needed to be back, from when what was killed was ready again.
    private struct Returns: Sendable {
        var times: [Cluster.Role: [Duration]] = [:]

        func report() {
            for (role, times) in times.sorted(by: { $0.key.rawValue < $1.key.rawValue }) {
                let sorted = times.sorted()
                func text(_ time: Duration) -> String {
                    String(format: "%.3f s", time / .seconds(1))
                }
                print(
                    "killed(): \(role): \(times.count) kills; back after: median "
                        + "\(text(sorted[sorted.count / 2])), 99 of 100 "
                        + "\(text(sorted[min(sorted.count - 1, sorted.count * 99 / 100)])), "
                        + "all \(text(sorted[sorted.count - 1]))")
            }
        }
    }

    @Test("What was accepted arrives once and in order, whoever is killed")
    func killed() async throws {
        let environment = ProcessInfo.processInfo.environment
        let rounds = Int(environment["MAILBOX_KILLS"] ?? "").map { min($0, 10_000) } ?? 2
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("killed(): seed \(seed), \(rounds) rounds")
        let directory = try TestDirectory()
        let mint = try TokenMint(in: directory)
        let cluster = try await Cluster.start(in: directory, secretPath: mint.secretPath)
        var timing = SessionTiming()
        timing.backoffInitialMilliseconds = 100
        timing.backoffMaximumMilliseconds = 1_000
        timing.syncMilliseconds = 5_000
        let load = try DeviceLoad(
            Self.devices, ports: await cluster.devicePorts, in: directory, mint: mint,
            timing: timing, window: 4)
        try await load.run {
            let returns = try await Self.kill(cluster, load.history, rounds, seed)
            returns.report()
        }
        let complaints = try await cluster.stop()
        #expect(complaints.isEmpty, "\(complaints)")
        let seen = load.history.seen
        #expect(seen.violations.isEmpty, "\(seen.violations.prefix(5))")
        try load.check(store: directory.file("store"))
        print("killed(): \(seen.acceptedCount) messages accepted, each received once, in order")
    }

    private static func kill(
        _ cluster: Cluster, _ history: DeviceHistory, _ rounds: Int, _ seed: UInt64
    ) async throws -> Returns {
        var random = SeededRandom(seed: seed)
        var returns = Returns()
        try await untilBack(history, history.seen)
        for round in 1...max(1, rounds) {
            for role in Cluster.Role.allCases {
                let goal = history.seen.acceptedCount + Int.random(in: 1..<300, using: &random)
                try await history.wait(for: "traffic") { $0.acceptedCount >= goal }
                let count = await cluster.count(role)
                let isWhole = random.chance(25)
                let victims =
                    isWhole ? Array(0..<count) : [Int.random(in: 0..<count, using: &random)]
                try await cluster.killAndRestart(role, victims)
                let began = ContinuousClock.now
                try await untilBack(history, history.seen)
                returns.times[role, default: []].append(ContinuousClock.now - began)
                let violations = history.seen.violations
                try #require(violations.isEmpty, "round \(round), \(role): \(violations)")
            }
        }
        return returns
    }

    /// Waits until each device was told that a message of its own is accepted, and received one.
    private static func untilBack(
        _ history: DeviceHistory, _ before: DeviceHistory.Seen
    ) async throws {
        try await history.wait(for: "return of all devices") {
            $0.isNewer(than: before, devices: devices)
        }
    }
}
