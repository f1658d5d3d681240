import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// What random operations and faults found, each under a name.
@Suite("What went wrong once")
struct RegressionTests {
    private static func mailbox() throws -> MailboxID {
        try MailboxID(sender: "alice", receiver: "bob")
    }

    /// The segment with the only header was of the old size, so it was removed; the new one
    /// gets its header with its first frame, and there was none yet.
    @Test("A new segment size, a checkpoint, and a crash before the first append")
    func newSegmentSize() async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.journalSegmentBytes = 128 << 10
        configuration.checkpointJournalBytes = 128 << 10
        let mailbox = try Self.mailbox()
        let store = try MailboxStore.open(at: path, configuration: configuration)
        _ = try await store.append(Append(mailbox, text: "kept"))
        store.abandon()
        configuration.journalSegmentBytes = 64 << 10
        let second = try MailboxStore.open(at: path, configuration: configuration)
        try await second.checkpoint()
        second.abandon()
        let third = try MailboxStore.open(at: path, configuration: configuration)
        #expect(try third.head(mailbox).max == 1)
        try expectSound(third)
        try third.close()
    }

    /// A spare segment keeps the header of the generation that it last served.
    @Test("A spare segment with an old header is not taken for a damaged one")
    func spareSegment() async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        let mailbox = try Self.mailbox()
        let body = [UInt8](repeating: 1, count: 15_000)
        for _ in 0..<6 {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            for _ in 0..<6 { _ = try await store.append(Append(mailbox, body: body)) }
            try await store.checkpoint()
            try expectSound(store)
            store.abandon()
            let reopened = try MailboxStore.open(at: path, configuration: configuration)
            try expectSound(reopened)
            try reopened.close()
        }
    }

    /// Checkpoints in the middle of a recovery gave segments back and removed their files; the end
    /// of the recovery took them for spare ones, and what was answered next went into files without
    /// a name.
    @Test("Appends behind a recovery that had to write checkpoints are there after a crash")
    func recoveryUnderPressure() async throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.checkpointJournalBytes = 1 << 30
        configuration.tailBytesMaximum = 64 << 20
        let mailbox = try Self.mailbox()
        let body = [UInt8](repeating: 1, count: 15_000)
        let first = try MailboxStore.open(at: path, configuration: configuration)
        for _ in 0..<300 { _ = try await first.append(Append(mailbox, body: body)) }
        // Three frames a segment, and a spare one, which is made on the side.
        while try first.statistics().journalBytesAllotted < 101 * (64 << 10) { await Task.yield() }
        first.abandon()
        configuration.tailBytesMaximum = 1 << 20
        var expected: SequenceNumber = 300
        for round in 0..<4 {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            #expect(try store.head(mailbox).max == expected, "round \(round)")
            // Few enough that no checkpoint is needed for them.
            for _ in 0..<5 { _ = try await store.append(Append(mailbox, body: body)) }
            expected += 5
            if !round.isMultiple(of: 2) { try await store.checkpoint() }
            _ = try await store.append(Append(mailbox, body: body))
            expected += 1
            store.abandon()
        }
        let last = try MailboxStore.open(at: path, configuration: configuration)
        #expect(try last.head(mailbox).max == expected)
        try expectSound(last)
        try last.close()
    }

    /// The mailboxes of a step that failed were put on the list of changed ones twice.
    @Test("A checkpoint that found no room is repeated, and again", arguments: [1, 2, 3])
    func failedCheckpoint(times: Int) async throws {
        let scratch = try Scratch()
        let plan = (1...times).map {
            FaultPlan(
                point: FaultPoint.checkpointBeforeCommit.rawValue, occurrence: $0,
                isLasting: false)
        }
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.faults = FaultHooks { point in
            // Every plan counts every reach.
            let strikes = plan.map { $0.reach(point.rawValue) }
            guard strikes.contains(true) else { return nil }
            return StoreError(code: .storageFull, message: "injected: no room")
        }
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailboxes = try (0..<5).map { try MailboxID(sender: "s\($0)", receiver: "bob") }
        for mailbox in mailboxes { _ = try await store.append(Append(mailbox, text: "x")) }
        // The store tries again by itself, too, so some of the failures may be its own.
        while plan.contains(where: { !$0.hasFired }) {
            do {
                try await store.checkpoint()
            } catch {
                #expect(error.code == .storageFull)
            }
        }
        try await store.checkpoint()
        try await store.checkpoint()
        #expect(try store.statistics().tailBytes == 0)
        for mailbox in mailboxes { #expect(try store.head(mailbox).max == 1) }
        try expectSound(store)
        try store.close()
    }

    /// Memory's floor stays behind the data file's when the process stops between the two.
    @Test(
        "A read between a commit of the data file and a stop is answered, or fails",
        arguments: [FaultPoint.checkpointAfterCommit, .compactionAfterCommit])
    func readAfterStop(_ point: FaultPoint) async throws {
        let scratch = try Scratch()
        let plan = FaultPlan(point: point.rawValue, occurrence: 2, isLasting: false)
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.retention =
            point == .checkpointAfterCommit ? .unacknowledged : .newest(.max)
        configuration.faults = FaultHooks(plan, StoreError(code: .failed, message: "injected"))
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailbox = try Self.mailbox()
        for _ in 0..<10 { _ = try await store.append(Append(mailbox, text: "x")) }
        _ = try? await store.checkpoint()
        if point == .compactionAfterCommit {
            try store.acknowledge(mailbox, through: Cursor(2, epoch: store.epoch))
            _ = try? await store.compact(.unacknowledged)
        }
        try store.acknowledge(mailbox, through: Cursor(5, epoch: store.epoch))
        _ = try? await store.compact(.unacknowledged)
        #expect(plan.hasFired)
        for after in [0, 2, 4, 5, 9] as [SequenceNumber] {
            do {
                _ = try store.read(mailbox, after: after, through: nil, limit: .standard)
            } catch {
                #expect(error.code == .failed || error.code == .trimmed)
            }
        }
        store.abandon()
    }

    /// Between fork and exec a child holds its parent's files; a lock ends with its last holder.
    @Test("A closed store can be opened while another process is being started")
    func lockAcrossFork() throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        let store = try MailboxStore.open(at: path, configuration: .tiny())
        // What a fork does to the lock's descriptor.
        let copies = try FileManager.default.contentsOfDirectory(atPath: "/proc/self/fd")
            .compactMap { name -> CInt? in
                let target = try? FileManager.default.destinationOfSymbolicLink(
                    atPath: "/proc/self/fd/\(name)")
                guard target == "\(path)/LOCK", let descriptor = CInt(name) else { return nil }
                return dup(descriptor)
            }
        defer { for copy in copies { close(copy) } }
        #expect(!copies.isEmpty)
        try store.close()
        try MailboxStore.open(at: path, configuration: .tiny()).close()
    }

    /// Compaction begins with a checkpoint, which applies the store's own policy.
    @Test("A mailbox that both policies shorten is compacted once")
    func compactedOnce() async throws {
        let scratch = try Scratch()
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.retention = .newest(5)
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        let mailbox = try Self.mailbox()
        for _ in 0..<20 { _ = try await store.append(Append(mailbox, text: "x")) }
        try store.acknowledge(mailbox, through: Cursor(20, epoch: store.epoch))
        let report = try await store.compact(.unacknowledged)
        #expect(report.messagesRemoved == 20)
        #expect(report.mailboxesCompacted == 1)
        try store.close()
    }
}
