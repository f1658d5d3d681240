import Foundation
import Mailbox
public import MailboxTesting
public import StoreEngine

extension ManualClock: MillisecondClock {}

/// A directory for one test's stores, removed when the test is done with it.
///
/// In memory where there is such a file system: these tests cut processes, not power, and a sync
/// that costs nothing lets a thousand stores be opened in seconds. `MAILBOX_TEST_DIRECTORY` names
/// another place.
final class Scratch: Sendable {
    let path: String

    init() throws {
        let environment = ProcessInfo.processInfo.environment
        let isInMemory = FileManager.default.isWritableFile(atPath: "/dev/shm")
        let root =
            environment["MAILBOX_TEST_DIRECTORY"]
            ?? (isInMemory ? "/dev/shm" : NSTemporaryDirectory())
        path = "\(root)/mailbox-\(UUID().uuidString)"
        try FileManager.default.createDirectory(
            atPath: path, withIntermediateDirectories: true)
    }

    deinit {
        try? FileManager.default.removeItem(atPath: path)
    }

    /// A path in the directory.
    func file(_ name: String) -> String { "\(path)/\(name)" }
}

extension StoreConfiguration {
    /// Everything as small as it may be: segments fill, heads are evicted and checkpoints run all
    /// the time.
    static func tiny(clock: ManualClock = ManualClock()) -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.messageBytesMaximum = 20_000
        configuration.batchMessagesMaximum = 500
        configuration.pageMessagesMaximum = 100
        configuration.pageBytesMaximum = 64 << 10
        configuration.tailBytesMaximum = 1 << 20
        configuration.headCacheMaximum = 16
        configuration.checkpointIntervalMilliseconds = 10
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 64 << 10
        configuration.mapBytesInitial = 1 << 20
        configuration.mapBytesMaximum = 256 << 20
        configuration.watchBacklogMaximum = 4
        configuration.clock = clock
        return configuration
    }

    /// The same limits, as the model takes them.
    func model(clock: ManualClock) -> ModelStore.Configuration {
        var model = ModelStore.Configuration(clock: clock)
        model.messageBytesMaximum = messageBytesMaximum
        model.batchMessagesMaximum = batchMessagesMaximum
        model.pageMessagesMaximum = pageMessagesMaximum
        model.pageBytesMaximum = pageBytesMaximum
        model.retention = retention ?? .unacknowledged
        model.durability = durability
        return model
    }
}

/// The store behind a protocol value, for what only the engine has.
func engine(_ store: any MailboxStorage) throws -> MailboxStore {
    guard let store = store as? MailboxStore else {
        throw StoreError(code: .invalidArgument, message: "this is not the engine")
    }
    return store
}

/// Every checksum is right, every sequence contiguous, every head true.
func expectSound(_ store: MailboxStore) throws {
    let report = try store.verify()
    guard report.isSound else {
        throw StoreError(
            code: .corrupted,
            message: "\(report.problemCount) problems: \(report.problems.joined(separator: "; "))")
    }
}
