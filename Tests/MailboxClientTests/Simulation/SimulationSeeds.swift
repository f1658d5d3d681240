import Foundation

@testable import MailboxClient

/// What happened in one world, or in many.
struct SimulationTotals: Equatable {
    var messages: UInt64 = 0
    var accepted = 0
    var refused = 0
    var renewals = 0
    var restores = 0
    var connections = 0
    /// Devices that came back and had been notified of what waited.
    var notified = 0

    mutating func add(_ other: SimulationTotals) {
        messages += other.messages
        accepted += other.accepted
        refused += other.refused
        renewals += other.renewals
        restores += other.restores
        connections += other.connections
        notified += other.notified
    }
}

/// What came of a world.
struct SimulationOutcome {
    private(set) var totals = SimulationTotals()
    /// What the oracle found.
    private(set) var failure: (any Error)?
    /// How many things can be left out of it.
    private(set) var itemCount = 0
    /// Of all frames: two runs of a seed have the same one.
    private(set) var digest: UInt64 = 0
    private(set) var events: [String] = []

    /// Runs a world.
    init(_ make: () throws -> SimulatedWorld) {
        do {
            let world = try make()
            do {
                try world.run()
            } catch {
                failure = error
            }
            try world.end()
            itemCount = world.itemCount
            digest = world.digest
            events = world.history.events
            totals.messages = UInt64(world.history.entries.count)
            totals.accepted = world.history.entries.values.count { $0.isAccepted }
            totals.refused = world.history.entries.values.count { $0.isRefused }
            totals.renewals = world.history.renewalCount
            totals.restores = world.history.restoreCount
            totals.notified = world.history.notifiedCount
            totals.connections = world.clients.reduce(0) { $0 + $1.core.activity.connections }
        } catch {
            failure = failure ?? error
        }
    }
}

/// Runs worlds, some at the same time, and makes the first that fails as small as it can be.
struct SimulationSeeds {
    typealias World =
        @Sendable (_ seed: UInt64, _ without: Set<Int>) async throws ->
        SimulationOutcome

    let name: String
    /// How many worlds there are: `SEEDS` when it is set.
    let count: UInt64
    private let first: UInt64
    private let without: Set<Int>

    /// Whether this is one world again that is made smaller.
    var isAgain: Bool { !without.isEmpty }

    /// - Parameters:
    ///   - name: of the make target behind `simulate-`.
    ///   - count: how many worlds, when nobody says so.
    init(name: String, count: UInt64) {
        let environment = ProcessInfo.processInfo.environment
        self.name = name
        self.count = UInt64(environment["SEEDS"] ?? "") ?? count
        first = UInt64(environment["SEED"] ?? "") ?? UInt64.random(in: 0...1_000_000_000)
        without = Set((environment["WITHOUT"] ?? "").split(separator: ",").compactMap { Int($0) })
    }

    /// - Throws: what the oracle found, with the seed.
    func run(_ world: @escaping World) async throws -> SimulationTotals {
        print("simulation: \(name) seeds \(first) to \(first + count - 1)")
        let workers = UInt64(max(1, min(8, ProcessInfo.processInfo.activeProcessorCount)))
        let totals = try await withThrowingTaskGroup(of: SimulationTotals.self) { group in
            for worker in 0..<workers {
                group.addTask { try await run(from: first + worker, by: workers, world) }
            }
            return try await group.reduce(into: SimulationTotals()) { $0.add($1) }
        }
        print("simulation: \(totals)")
        print("simulate.\(name)_seeds: \(count)")
        print("simulate.\(name)_violations: 0")
        return totals
    }

    private func run(
        from seed: UInt64, by step: UInt64, _ world: World
    ) async throws -> SimulationTotals {
        var totals = SimulationTotals()
        for seed in stride(from: seed, to: first + count, by: Int(step)) {
            // Another worker's world failed: its seed is what counts.
            try Task.checkCancellation()
            let outcome = try await world(seed, without)
            if outcome.failure != nil { throw try await report(seed, outcome, world) }
            totals.add(outcome.totals)
            let done = (seed - first) / step + 1
            if seed % step == first % step, done.isMultiple(of: 500) {
                print("simulation: about \(done * step) of \(count)")
            }
        }
        return totals
    }

    /// Leaves out as much as can be while the world still fails, and says how to run what is left.
    ///
    /// With `STORY` the world is told as it was asked for: a smaller one may fail in another way.
    private func report(
        _ seed: UInt64, _ outcome: SimulationOutcome, _ world: World
    ) async throws -> SimulationFailure {
        let isTold = ProcessInfo.processInfo.environment["STORY"] != nil
        var without = without
        var smallest = outcome
        var size = max(1, outcome.itemCount / 2)
        while !isTold {
            for first in stride(from: 1, through: outcome.itemCount, by: size) {
                let tried = without.union(first..<min(first + size, outcome.itemCount + 1))
                guard tried != without else { continue }
                let outcome = try await world(seed, tried)
                guard outcome.failure != nil else { continue }
                (without, smallest) = (tried, outcome)
            }
            if size == 1 { break }
            size /= 2
        }
        let list = without.sorted().map(String.init).joined(separator: ",")
        print("simulate.\(name)_violations: 1")
        print(
            "again: make simulate-\(name) SEEDS=1 SEED=\(seed)"
                + (list.isEmpty ? "" : " WITHOUT=\(list)"))
        let story = isTold ? "\n" + smallest.events.joined(separator: "\n") : ""
        let failure = smallest.failure.map { "\($0)" } ?? ""
        return SimulationFailure("seed \(seed): \(failure)\(story)")
    }
}
