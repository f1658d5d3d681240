import Testing

@testable import MailboxClient

/// Clients on a network that loses, delays, doubles, reorders and parts, under a clock that stands
/// still: nothing is lost, doubled or out of order. `SEEDS` says how many, `SEED` where to begin.
@Suite("Simulated network")
struct SimulationTests {
    @Test("Every message arrives once and in order")
    func seeds() async throws {
        let seeds = SimulationSeeds(name: "client", count: 60)
        let totals = try await seeds.run { Self.run($0, without: $1) }
        #expect(totals.messages > seeds.count || seeds.isAgain)
        #expect(
            seeds.count < 1_000
                || (totals.renewals > 0 && totals.restores > 0 && totals.refused > 0))
    }

    /// An answer that overtook another one made a complete history look incomplete after a restore:
    /// the device took a new name, and sent again what was stored under the old one.
    @Test("An overtaken answer is no gap in the history", arguments: [1201])
    func overtakenAnswer(seed: UInt64) throws {
        if let failure = Self.run(seed, without: []).failure { throw failure }
    }

    private static func run(_ seed: UInt64, without: Set<Int>) -> SimulationOutcome {
        SimulationOutcome { try SimulatedWorld(seed: seed, without: without) }
    }
}
