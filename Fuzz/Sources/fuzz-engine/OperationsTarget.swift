import Foundation
import Fuzzing
import Synchronization

@testable import Mailbox
@testable public import MailboxTesting
@testable public import StoreEngine

extension ManualClock: @retroactive MillisecondClock {}

extension FuzzTarget {
    /// Bytes as operations on the engine and on the model, with a fault at one of the engine's
    /// fault points: every answer is compared, through crashes, restarts and restores.
    static let operations = FuzzTarget("operations", byteCountMaximum: 512) {
        (0..<24 as Range<UInt64>).map { seed in
            var random = SeededRandom(seed: seed)
            return [UInt8(seed), UInt8(seed * 3), UInt8(seed)] + random.bytes(40 + Int(seed) * 12)
        }
    } run: { input in
        waitFor {
            do {
                try await OperationsRun(input).run()
            } catch { violation("\(error)") }
        }
    }
}

/// One input of `operations`: a configuration, a fault, and a list.
private struct OperationsRun {
    private let sound: StoreConfiguration
    private let faulty: StoreConfiguration
    private let clock = ManualClock()
    private let universe: Universe
    private let operations: [MailboxTesting.Operation]
    private let isFaulty: Bool

    init(_ input: [UInt8]) {
        var bytes = ByteReader(input)
        let (shape, point, occurrence) = (bytes.byte(), bytes.byte(), bytes.byte())
        var configuration = StoreConfiguration()
        configuration.messageBytesMaximum = 20_000
        configuration.batchMessagesMaximum = 500
        configuration.pageMessagesMaximum = 100
        configuration.pageBytesMaximum = 64 << 10
        configuration.tailBytesMaximum = 1 << 20
        configuration.headCacheMaximum = 16
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 64 << 10
        configuration.mapBytesInitial = 1 << 20
        configuration.mapBytesMaximum = 256 << 20
        configuration.clock = clock
        configuration.shardCount = 1 + Int(shape >> 6) % 2
        let policies: [RetentionPolicy] = [
            .unacknowledged, .newest(7), .newest(.max), .acknowledged(forMilliseconds: 20_000),
        ]
        configuration.retention = policies[Int(shape & 3)]
        sound = configuration
        let points = FaultPoint.allCases
        isFaulty = Int(point) < 2 * points.count
        if isFaulty {
            let plan = FaultPlan(
                point: points[Int(point) / 2].rawValue, occurrence: 1 + Int(occurrence) % 32,
                isLasting: false)
            let error = StoreError(
                code: point & 1 == 0 ? .failed : .storageFull, message: "injected")
            configuration.faults = FaultHooks { plan.reach($0.rawValue) ? error : nil }
        }
        faulty = configuration
        universe = Universe(seed: UInt64(shape))
        var source = OperationSource(bytes: bytes, universe: universe)
        operations = source.operations()
    }

    func run() async throws {
        let subject = try subject()
        let driver = try await ModelDriver(subject: subject, universe: universe)
        for operation in operations { try await driver.perform(operation) }
        try await driver.end()
        await subject.tearDown(driver.store)
    }

    private func subject() throws -> Subject {
        let (sound, faulty) = (sound, faulty)
        let place = Mutex("\(try ScratchDirectory.fresh("operations"))/store")
        let path: @Sendable () -> String = { place.withLock { $0 } }
        let open: @Sendable () throws -> MailboxStore = {
            do {
                return try MailboxStore.open(at: path(), configuration: faulty)
            } catch let error as StoreError where error.message.hasPrefix("injected") {
                return try MailboxStore.open(at: path(), configuration: sound)
            }
        }
        try MailboxStore.open(at: path(), configuration: sound).close()
        var limits = ModelStore.Configuration(clock: clock)
        limits.messageBytesMaximum = sound.messageBytesMaximum
        limits.batchMessagesMaximum = sound.batchMessagesMaximum
        limits.pageMessagesMaximum = sound.pageMessagesMaximum
        limits.pageBytesMaximum = sound.pageBytesMaximum
        limits.retention = sound.retention ?? .unacknowledged
        limits.durability = sound.durability
        var subject = Subject(store: try open(), configuration: limits, clock: clock)
        subject.splitsReceivers = sound.shardCount > 1
        subject.mayFail = isFaulty
        subject.passingCodes = isFaulty ? [.storageFull] : []
        subject.checkpoint = { try await engine($0).checkpoint() }
        subject.restart = { store in
            try engine(store).close()
            return try open()
        }
        subject.crash = { store in
            try engine(store).abandon()
            return try open()
        }
        if !isFaulty {
            subject.restore = { store in
                let old = try engine(store)
                let copy = "\(path())-backup"
                _ = try old.backup(to: copy)
                old.abandon()
                let restored = "\(copy)-restored"
                _ = try MailboxStore.restore(from: copy, to: restored, configuration: sound)
                place.withLock { $0 = restored }
                return try open()
            }
        }
        subject.tearDown = { store in try? engine(store).abandon() }
        return subject
    }
}

/// The store behind a protocol value.
private func engine(_ store: any MailboxStorage) throws -> MailboxStore {
    guard let store = store as? MailboxStore else {
        throw StoreError(code: .invalidArgument, message: "this is not the engine")
    }
    return store
}
