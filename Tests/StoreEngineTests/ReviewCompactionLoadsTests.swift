import Foundation
import LMDB
import Mailbox
import Testing

@testable import StoreEngine

@Suite("Review: a mailbox that is loaded while a compaction trims it")
struct ReviewCompactionLoadsTests {
    @Test("Body bytes are subtracted twice from a head that is loaded behind the commit")
    func subtractedTwice() throws {
        let scratch = try Scratch()
        let faults = ReviewFaults()
        var configuration = Review.configuration(faults)
        configuration.retention = .newest(.max)
        let mailbox = try Review.mailbox(0)
        let first = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        for size in [100, 100, 10_000] {
            let body = [UInt8](repeating: 1, count: size)
            _ = try first.blocking.append(Append(mailbox, body: body))
        }
        try first.acknowledge(mailbox, through: Cursor(2, epoch: first.epoch))
        try first.close()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        faults.arm { point in
            guard point == .compactionAfterCommit else { return nil }
            _ = try? store.acknowledge(mailbox, through: Cursor(3, epoch: store.epoch))
            return nil
        }
        _ = try store.blocking.compact(.unacknowledged)
        faults.arm(nil)
        // With a third message smaller than the two removed, this is an overflow trap.
        #expect(try store.head(mailbox).bodyBytes == 10_000)
        store.abandon()
    }

    @Test("A head that was read before the commit comes back with the old floor")
    func staleFloor() throws {
        let scratch = try Scratch()
        let faults = ReviewFaults()
        var configuration = Review.configuration(faults)
        configuration.retention = .newest(.max)
        configuration.journalSegmentBytes = 4 << 20
        configuration.checkpointJournalBytes = 64 << 20
        let mailboxes = try (0..<4_000).map { try Review.mailbox($0) }
        let batch = mailboxes.map { Append($0, text: "message") }
        let first = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        for _ in 0..<2 { _ = try first.blocking.append(batch: batch) }
        for mailbox in mailboxes {
            try first.acknowledge(mailbox, through: Cursor(1, epoch: first.epoch))
        }
        try first.close()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        let done = ReviewBox<Int>()
        let started = ReviewBox<Bool>()
        faults.arm { point in
            guard point == .compactionBeforeCommit, started.value == nil else { return nil }
            started.put(true)
            Thread.detachNewThread {
                done.put((try? store.blocking.append(batch: batch))?.count ?? 0)
            }
            // Until the append has its snapshot of the data file.
            while (try? store.shards[0].base.environment.statistics.readersInUse) == 0 {
                sched_yield()
            }
            return nil
        }
        _ = try store.blocking.compact(.unacknowledged)
        #expect(done.wait(seconds: 60) == batch.count)
        faults.arm(nil)
        let floors = try mailboxes.map { try store.head($0).floor }
        let stale = floors.count { $0 == 0 }
        // read(after: 0) of such a mailbox never returns; a checkpoint writes the old floor to
        // disk.
        #expect(stale == 0)
        try store.blocking.checkpoint()
        #expect(try store.verify().problemCount == 0)
        store.abandon()
    }
}
