import Mailbox
import MailboxTesting
import StoreEngine
import Synchronization
import Testing

/// The engine's own fault points, driven by the plans of the test library.
extension FaultHooks {
    init(_ plan: FaultPlan, _ error: StoreError) {
        self.init { plan.reach($0.rawValue) ? error : nil }
    }
}

@Suite("The engine stopped at every fault point", .serialized)
struct FaultTests {
    private static let died = StoreError(code: .failed, message: "injected: the process dies here")
    private static let full = StoreError(code: .storageFull, message: "injected: no room")

    /// An engine with a fault; after the first crash it is opened without.
    private static func subject(seed: UInt64, _ plan: FaultPlan, _ error: StoreError) throws
        -> Subject
    {
        let scratch = try Scratch()
        let clock = ManualClock()
        let sound = EngineModelTests.configuration(seed: seed, clock: clock)
        var faulty = sound
        faulty.faults = FaultHooks(plan, error)
        let first = faulty
        let path = scratch.file("store")
        // Created without the fault: what happens while a store is created has tests of its own.
        try MailboxStore.open(at: path, configuration: sound).close()
        var subject = Subject(
            store: try open(path, first, else: sound), configuration: sound.model(clock: clock),
            clock: clock)
        subject.splitsReceivers = sound.shardCount > 1
        subject.mayFail = true
        subject.passingCodes = [.storageFull]
        subject.checkpoint = { try await engine($0).checkpoint() }
        subject.restart = { store in
            try engine(store).close()
            return try open(path, first, else: sound)
        }
        subject.crash = { store in
            try engine(store).abandon()
            return try open(path, first, else: sound)
        }
        subject.verify = { store in try expectSound(engine(store)) }
        subject.tearDown = { store in
            try? engine(store).abandon()
            _ = scratch
        }
        return subject
    }

    /// The fault may strike while the store is opened: then it is opened again without.
    private static func open(
        _ path: String, _ faulty: StoreConfiguration, else sound: StoreConfiguration
    ) throws -> MailboxStore {
        do {
            return try MailboxStore.open(at: path, configuration: faulty)
        } catch {
            guard error.message.hasPrefix("injected") else { throw error }
            return try MailboxStore.open(at: path, configuration: sound)
        }
    }

    /// The first reaches of a point, and some of those later on.
    private static func occurrences(_ reached: Int) -> [Int] {
        guard reached > 8 else { return reached > 0 ? Array(1...reached) : [] }
        return Array(1...5) + [reached / 4, reached / 2, reached - 1, reached].filter { $0 > 5 }
    }

    @Test("Dead at each point, early and late", arguments: FaultPoint.allCases)
    func dies(_ point: FaultPoint) async {
        for seed in [1, 2, 3, 4] as [UInt64] {
            let counting = FaultPlan.counting()
            let count = DriverRun(seed: seed, count: 80) { seed in
                try Self.subject(seed: seed, counting, Self.died)
            }
            await Self.record { try await count.check(attempts: 0) }
            for occurrence in Self.occurrences(counting.reached[point.rawValue] ?? 0) {
                let run = DriverRun(seed: seed, count: 80) { seed in
                    let plan = FaultPlan(
                        point: point.rawValue, occurrence: occurrence, isLasting: false)
                    return try Self.subject(seed: seed, plan, Self.died)
                }
                await Self.record("\(point) \(occurrence)") { try await run.check(attempts: 60) }
            }
        }
    }

    @Test("No room at each point, early and late", arguments: FaultPoint.allCases)
    func full(_ point: FaultPoint) async {
        for seed in [5, 6] as [UInt64] {
            let counting = FaultPlan.counting()
            let count = DriverRun(seed: seed, count: 80) { seed in
                try Self.subject(seed: seed, counting, Self.full)
            }
            await Self.record { try await count.check(attempts: 0) }
            for occurrence in Self.occurrences(counting.reached[point.rawValue] ?? 0) {
                let run = DriverRun(seed: seed, count: 80) { seed in
                    let plan = FaultPlan(
                        point: point.rawValue, occurrence: occurrence, isLasting: false)
                    return try Self.subject(seed: seed, plan, Self.full)
                }
                await Self.record("\(point) \(occurrence)") { try await run.check(attempts: 60) }
            }
        }
    }

    private static func record(
        _ what: String = "no fault", _ body: () async throws -> Void
    ) async {
        do {
            try await body()
        } catch {
            Issue.record("\(what): \(error)")
        }
    }
}
