import Foundation
import MailboxTesting
import Testing

@testable import MailboxClient

/// Clients on a network that loses, delays, doubles, reorders and parts, under a clock that stands
/// still: nothing is lost, doubled or out of order. `SEEDS` says how many, `SEED` where to begin.
@Suite("Simulated network")
struct SimulationTests {
    @Test("Every message arrives once and in order")
    func seeds() async throws {
        let environment = ProcessInfo.processInfo.environment
        let count = UInt64(environment["SEEDS"] ?? "") ?? 60
        let first = UInt64(environment["SEED"] ?? "") ?? UInt64.random(in: 0...1_000_000_000)
        print("simulation: seeds \(first) to \(first + count - 1)")
        let workers = UInt64(max(1, min(8, ProcessInfo.processInfo.activeProcessorCount)))
        let totals = try await withThrowingTaskGroup(of: Totals.self) { group in
            for worker in 0..<workers {
                group.addTask {
                    var totals = Totals()
                    for seed in stride(from: first + worker, to: first + count, by: Int(workers)) {
                        try totals.add(Self.run(seed))
                    }
                    return totals
                }
            }
            return try await group.reduce(into: Totals()) { $0.add($1) }
        }
        print("simulation: \(totals)")
        print("simulate.client_seeds: \(count)")
        print("simulate.client_violations: 0")
        #expect(totals.messages > count)
        #expect(count < 1_000 || (totals.renewals > 0 && totals.restores > 0 && totals.refused > 0))
    }

    /// An answer that overtook another one made a complete history look incomplete after a restore:
    /// the device took a new name, and sent again what was stored under the old one.
    @Test("An overtaken answer is no gap in the history", arguments: [1201])
    func overtakenAnswer(seed: UInt64) throws {
        _ = try Self.run(seed)
    }

    struct Totals {
        var messages: UInt64 = 0
        var accepted = 0
        var refused = 0
        var renewals = 0
        var restores = 0
        var connections = 0

        mutating func add(_ other: Totals) {
            messages += other.messages
            accepted += other.accepted
            refused += other.refused
            renewals += other.renewals
            restores += other.restores
            connections += other.connections
        }
    }

    /// - Throws: what the oracle found, with the seed.
    static func run(_ seed: UInt64) throws -> Totals {
        let world = try SimulatedWorld(seed: seed)
        do {
            try world.run()
        } catch {
            let story =
                ProcessInfo.processInfo.environment["STORY"] == nil
                ? "" : "\n" + world.history.events.joined(separator: "\n")
            print("simulate.client_violations: 1")
            print("again: make simulate-client SEEDS=1 SEED=\(seed)")
            throw SimulationFailure("seed \(seed): \(error)\(story)")
        }
        var totals = Totals()
        totals.messages = UInt64(world.history.entries.count)
        totals.accepted = world.history.entries.values.count { $0.isAccepted }
        totals.refused = world.history.entries.values.count { $0.isRefused }
        totals.renewals = world.history.renewalCount
        totals.restores = world.history.restoreCount
        totals.connections = world.clients.reduce(0) { $0 + $1.core.activity.connections }
        return totals
    }
}
