import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Synchronization
import Testing

@Suite("Random operations on the engine and the model")
struct EngineModelTests {
    /// How many seeds to try: `MAILBOX_SEEDS`, from `MAILBOX_SEED_FIRST`.
    static let seeds: Range<UInt64> = {
        let environment = ProcessInfo.processInfo.environment
        let count = environment["MAILBOX_SEEDS"].flatMap(UInt64.init) ?? 300
        let first = environment["MAILBOX_SEED_FIRST"].flatMap(UInt64.init) ?? 0
        return first..<first + count
    }()

    private static let retentions: [RetentionPolicy] = [
        .unacknowledged, .newest(.max), .unacknowledged, .newest(7),
        .acknowledged(forMilliseconds: 20_000),
    ]

    /// The configuration that a seed decides.
    static func configuration(seed: UInt64, clock: ManualClock) -> StoreConfiguration {
        var random = SeededRandom(seed: seed ^ 0x636F_6E66)
        var configuration = StoreConfiguration.tiny(clock: clock)
        configuration.retention =
            retentions[Int.random(in: 0..<retentions.count, using: &random)]
        if random.chance(50) { configuration.checkpointIntervalMilliseconds = 3_600_000 }
        if random.chance(20) { configuration.checkpointJournalBytes = 8 << 20 }
        if random.chance(30) { configuration.headCacheMaximum = 1_000 }
        if random.chance(25) { configuration.shardCount = Int.random(in: 2...3, using: &random) }
        return configuration
    }

    @Sendable
    static func subject(
        seed: UInt64, _ change: (inout StoreConfiguration) -> Void = { _ in }
    ) throws -> Subject {
        let scratch = try Scratch()
        let clock = ManualClock()
        var configuration = configuration(seed: seed, clock: clock)
        change(&configuration)
        let settled = configuration
        let place = Mutex(scratch.file("store"))
        let path: @Sendable () -> String = { place.withLock { $0 } }
        var subject = Subject(
            store: try MailboxStore.open(at: path(), configuration: settled),
            configuration: settled.model(clock: clock), clock: clock)
        subject.splitsReceivers = settled.shardCount > 1
        subject.checkpoint = { try await engine($0).checkpoint() }
        subject.restart = { store in
            try engine(store).close()
            return try MailboxStore.open(at: path(), configuration: settled)
        }
        subject.crash = { store in
            try engine(store).abandon()
            return try MailboxStore.open(at: path(), configuration: settled)
        }
        subject.restore = { store in
            let old = try engine(store)
            let copy = scratch.file("backup-\(UUID().uuidString)")
            _ = try old.backup(to: copy)
            old.abandon()
            let restored = "\(copy)-restored"
            _ = try MailboxStore.restore(
                from: copy, to: restored, configuration: settled)
            place.withLock { $0 = restored }
            return try MailboxStore.open(at: restored, configuration: settled)
        }
        subject.verify = { store in try expectSound(engine(store)) }
        subject.tearDown = { store in
            try? engine(store).close()
            _ = scratch
        }
        return subject
    }

    /// Each lane takes every fourth seed: more stores at once would only wait for each other.
    static let lanes = 4

    /// The seeds of a lane.
    static func seeds(lane: Int, of seeds: Range<UInt64> = seeds) -> [UInt64] {
        Array(seeds).filter { Int($0 % UInt64(lanes)) == lane }
    }

    @Test("The engine answers as the model", arguments: 0..<lanes)
    func agrees(lane: Int) async {
        for seed in Self.seeds(lane: lane) {
            do {
                try await DriverRun(seed: seed, count: 120) { try Self.subject(seed: $0) }.check()
            } catch {
                Issue.record(error)
            }
        }
    }
}
