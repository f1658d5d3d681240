import Foundation
import Testing

@testable import ConnectSrv

/// Clients and the services as they are, on a thread, a clock and a network that a seed decides:
/// nothing is lost, doubled or out of order. `SEEDS` says how many, `SEED` where to begin.
@Suite("Simulated services")
struct ServicesSimulationTests {
    @Test("Every message arrives once and in order")
    func seeds() async throws {
        let seeds = SimulationSeeds(name: "services", count: 30)
        let keys = try await ServicesBackend.Keys()
        let totals = try await seeds.run { try await Self.run($0, keys, without: $1) }
        #expect(totals.messages > seeds.count || seeds.isAgain)
    }

    /// The order of a set's members is chance without `SWIFT_DETERMINISTIC_HASHING`, as the
    /// Makefile sets it.
    @Test(
        "A seed decides everything",
        .enabled(if: ProcessInfo.processInfo.environment["SWIFT_DETERMINISTIC_HASHING"] != nil))
    func again() async throws {
        let keys = try await ServicesBackend.Keys()
        let first = UInt64.random(in: 0...1_000_000_000)
        for seed in first..<first + 5 {
            let outcomes = [
                try await Self.run(seed, keys), try await Self.run(seed, keys),
            ]
            #expect(outcomes[0].digest == outcomes[1].digest, "seed \(seed)")
            #expect(outcomes[0].totals == outcomes[1].totals, "seed \(seed)")
        }
    }

    @Test("What services get wrong is noticed", arguments: SimulatedMistake.allCases)
    func mistakes(_ mistake: SimulatedMistake) async throws {
        let keys = try await ServicesBackend.Keys()
        let first = UInt64.random(in: 0...1_000_000_000)
        // A device that is away and must be notified is in one world of five.
        for seed in first..<first + 80 {
            let outcome = try await Self.run(seed, keys, mistake: mistake)
            if outcome.failure is SimulationFailure { return }
        }
        Issue.record("\(mistake) went unseen in 80 worlds from seed \(first)")
    }

    private static func run(
        _ seed: UInt64, _ keys: ServicesBackend.Keys, without: Set<Int> = [],
        mistake: SimulatedMistake? = nil
    ) async throws -> SimulationOutcome {
        await onThreadOfItsOwn {
            let clock = WorldClock()
            return VirtualThread.run(seed: seed, onTimer: clock.set) { thread in
                SimulationOutcome {
                    try SimulatedWorld(seed: seed, without: without) { world in
                        clock.world = world
                        return ServicesBackend(world, thread, keys: keys, mistake: mistake)
                    }
                }
            }
        }
    }

    /// Brings the timers of tasks to the world, which is made later than its thread.
    private final class WorldClock {
        weak var world: SimulatedWorld?

        func set(_ milliseconds: Int64, _ ring: @escaping () -> Void) {
            guard let world else { return ring() }
            world.serverAfter(max(0, milliseconds - world.now), ring)
        }
    }

    private static func onThreadOfItsOwn<Value: Sendable>(
        _ body: @escaping @Sendable () -> Value
    ) async -> Value {
        await withCheckedContinuation { continuation in
            let thread = Thread { continuation.resume(returning: body()) }
            thread.stackSize = 4 << 20
            thread.start()
        }
    }
}
