import Mailbox
public import MailboxTesting
public import StoreEngine
import Synchronization

extension ManualClock: MillisecondClock {}

/// One seed's world: a store on a simulated disk, under a clock that only operations move, held to
/// the model after each of some eighty random operations.
///
/// Between and within them: kills, power cuts, calls that fail once with EIO, ENOSPC, EINTR or do
/// half, disks that die, clock jumps, restored backups; and the same again while a store opens.
struct Simulation {
    let seed: UInt64
    let scratch: String

    /// What a run came to, when nothing was wrong.
    struct Outcome {
        var events: SimulatedDisk.Events
        var digest: UInt64
    }

    private final class Last: Sendable { let disk = Mutex<SimulatedDisk?>(nil) }

    private static let operationCount = 80

    /// - Throws: `DriverFailure`, with the fewest operations that were found to fail.
    func run() async throws -> Outcome {
        // The one of the last list of operations that was tried: the only one, when all is well.
        let last = Last()
        let scratch = scratch
        let run = DriverRun(seed: seed, count: Self.operationCount) { seed in
            let disk: SimulatedDisk
            do { disk = try SimulatedDisk(scratch: scratch, seed: seed) } catch {
                throw StoreError(code: .failed, message: "\(error)")
            }
            last.disk.withLock { $0 = disk }
            return try World(disk: disk, seed: seed).subject()
        }
        try await run.check()
        guard let disk = last.disk.withLock({ $0 }) else { throw Failure("nothing was run") }
        return Outcome(events: disk.events, digest: disk.digest)
    }
}

/// A store on a disk, wherever both are after restores.
private final class World: Sendable {
    private let disk: SimulatedDisk
    private let clock = ManualClock()
    private let configuration: StoreConfiguration
    /// Which of the directories has the store: a restored backup is another one.
    private let number = Mutex(0)

    init(disk: SimulatedDisk, seed: UInt64) {
        self.disk = disk
        configuration = Self.configuration(seed: seed, clock: clock)
    }

    private static let retentions: [RetentionPolicy] = [
        .unacknowledged, .newest(.max), .unacknowledged, .newest(7),
        .acknowledged(forMilliseconds: 20_000),
    ]

    /// The configuration that a seed decides. Nothing happens by time: a checkpoint is asked for,
    /// or comes when a budget is used up.
    private static func configuration(seed: UInt64, clock: ManualClock) -> StoreConfiguration {
        var random = SeededRandom(seed: seed ^ 0x636F_6E66)
        var configuration = Oracle.configuration()
        configuration.messageBytesMaximum = 20_000
        configuration.batchMessagesMaximum = 500
        configuration.pageMessagesMaximum = 100
        configuration.pageBytesMaximum = 64 << 10
        configuration.watchBacklogMaximum = 4
        configuration.mapBytesMaximum = 256 << 20
        configuration.retention = retentions[Int.random(in: 0..<retentions.count, using: &random)]
        configuration.checkpointJournalBytes = random.chance(50) ? 128 << 10 : 8 << 20
        if random.chance(30) { configuration.headCacheMaximum = 1_000 }
        if random.chance(40) {
            configuration.tailBytesMinimum = 4 << 10
            configuration.tailBytesMaximum = random.chance(50) ? 8 << 10 : 32 << 10
        }
        configuration.clock = clock
        return configuration
    }

    private var model: ModelStore.Configuration {
        var model = ModelStore.Configuration(clock: clock)
        model.messageBytesMaximum = configuration.messageBytesMaximum
        model.batchMessagesMaximum = configuration.batchMessagesMaximum
        model.pageMessagesMaximum = configuration.pageMessagesMaximum
        model.pageBytesMaximum = configuration.pageBytesMaximum
        model.retention = configuration.retention ?? .unacknowledged
        return model
    }

    private var path: String { "\(disk.root)/store-\(number.withLock { $0 })" }

    // MARK: What a driver does to a store

    func subject() throws -> Subject {
        var subject = Subject(store: try create(), configuration: model, clock: clock)
        if !disk.isDead { disk.arm(within: 1...150) }
        subject.mayFail = true
        subject.readsMayFail = true
        subject.passingCodes = [.storageFull]
        // A group of the journal has room for it, in a segment of 64 KiB.
        subject.atomicBytesMaximum = 60_000
        subject.checkpoint = { [self] store in
            defer { rearm() }
            try engine(store).blocking.checkpoint()
        }
        subject.restart = { [self] store in
            do { try engine(store).close() } catch {
                disk.noteFault()
                throw error
            }
            guard !disk.isInDoubt else {
                throw StoreError(code: .failed, message: "a sync failed: the machine starts anew")
            }
            return try open(at: path)
        }
        subject.crash = { [self] store in
            engine(store).abandon()
            return try recover()
        }
        subject.restore = { [self] store in try restore(store) }
        subject.verify = { [self] store in try verify(engine(store)) }
        subject.tearDown = { [self] store in
            engine(store).abandon()
            do { try disk.end() } catch { print("violation: \(error)") }
        }
        return subject
    }

    private func engine(_ store: any MailboxStorage) -> MailboxStore {
        guard let store = store as? SimulatedStorage else {
            preconditionFailure("a simulation has no other stores")
        }
        return store.store
    }

    private func rearm() { disk.rearm(within: 1...150) }

    private func open(at path: String) throws -> SimulatedStorage {
        let order = CallOrder()
        var configuration = configuration
        configuration.faults = order.hooks
        let store = try MailboxStore.open(at: path, configuration: configuration)
        return SimulatedStorage(store: store, order: order) { [self] in rearm() }
    }

    /// Makes the store, or ends in the midst of it and goes on with what that left.
    private func create() throws -> SimulatedStorage {
        disk.arm(within: 1...40)
        do { return try open(at: path) } catch let error as StoreError {
            guard disk.noteFault(), [.failed, .storageFull].contains(error.code) else {
                throw error
            }
            return try recover()
        }
    }

    /// Opens what a crash left; another fault may strike while it does, and another crash follow.
    private func recover() throws -> SimulatedStorage {
        for attempt in 0..<4 {
            do { try disk.crash() } catch {
                throw StoreError(code: .corrupted, message: "\(error)")
            }
            if attempt < 3 { disk.arm(within: 1...60) }
            do {
                return try open(at: path)
            } catch let error as StoreError where attempt < 3 {
                guard disk.noteFault(), [.failed, .storageFull].contains(error.code) else {
                    throw StoreError(
                        code: .corrupted, message: "it does not open: \(error)", cause: error)
                }
            }
        }
        throw StoreError(code: .corrupted, message: "it does not open")
    }

    private func restore(_ store: any MailboxStorage) throws -> SimulatedStorage {
        let old = engine(store)
        let next = number.withLock { $0 } + 1
        let restored = "\(disk.root)/store-\(next)"
        do {
            try clear("\(disk.root)/backup-\(next)")
            try clear(restored)
            _ = try old.backup(to: "\(disk.root)/backup-\(next)")
            old.abandon()
            try MailboxStore.restore(
                from: "\(disk.root)/backup-\(next)", to: restored, configuration: configuration)
            let opened = try open(at: restored)
            number.withLock { $0 = next }
            rearm()
            return opened
        } catch {
            // Whatever kept it from being restored, the old store is there.
            guard disk.noteFault() else { throw error }
            throw StoreError(code: .failed, message: "not restored", cause: error)
        }
    }

    private func clear(_ path: String) throws {
        do { try Files.remove(path) } catch {
            throw StoreError(code: .failed, message: "\(error)")
        }
    }

    private func verify(_ store: MailboxStore) throws {
        let report = try store.verify()
        guard report.isSound else {
            throw StoreError(
                code: .corrupted, message: "verify: \(report.problems.joined(separator: "; "))")
        }
    }
}
