import Foundation
import Mailbox
import Testing

@testable import StoreEngine

@Suite("Review: closing, crashing and opening")
struct ReviewLifecycleTests {
    @Test("Close waits for a blocking append that is on its way to the journal")
    func closeDuringBlockingAppend() throws {
        let scratch = try Scratch()
        let faults = ReviewFaults()
        let configuration = Review.configuration(faults)
        let mailbox = try Review.mailbox(0)
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        let entered = ReviewBox<Bool>()
        let release = ReviewBox<Bool>()
        faults.arm { point in
            guard point == .commitBeforeWrite, entered.value == nil else { return nil }
            entered.put(true)
            _ = release.wait(seconds: 60)
            return nil
        }
        let answer = ReviewBox<Result<AppendResult, StoreError>>()
        Thread.detachNewThread {
            answer.put(
                Result { () throws(StoreError) in
                    try store.blocking.append(Append(mailbox, text: "accepted"))
                })
        }
        _ = entered.wait(seconds: 60)
        let reopened = ReviewBox<MailboxStore>()
        Thread.detachNewThread {
            try? store.close()
            if let other = try? MailboxStore.open(
                at: scratch.file("store"), configuration: configuration)
            {
                reopened.put(other)
            }
        }
        // A close that waits is not done before the append is let go.
        let early = reopened.wait(seconds: 2)
        release.put(true)
        let result = answer.wait(seconds: 60)
        guard let other = early ?? reopened.wait(seconds: 60) else {
            Issue.record("the store did not open again")
            return
        }
        if case .success = result {
            let texts = try other.fetch(mailbox, cursor: .zero).messages.map {
                String(decoding: $0.body, as: UTF8.self)
            }
            #expect(texts == ["accepted"])
        }
        other.abandon()
    }

    @Test("A power cut during a fresh segment's first write leaves a store that opens")
    func tornFirstGroup() throws {
        let scratch = try Scratch()
        let faults = ReviewFaults()
        let configuration = Review.configuration(faults)
        let first = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        _ = try first.blocking.append(Append(Review.mailbox(0), text: "accepted"))
        try first.close()
        let second = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        faults.arm {
            $0 == .journalSync ? StoreError(code: .failed, message: "injected") : nil
        }
        #expect(throws: StoreError.self) {
            try second.blocking.append(Append(Review.mailbox(0), text: "never answered"))
        }
        second.abandon()
        faults.arm(nil)
        // The header was synced before; of the unsynced frame, every sector but the first is on the
        // disk.
        try Self.zeroSector(at: 4_096, in: scratch)
        #expect(throws: Never.self) {
            let store = try MailboxStore.open(
                at: scratch.file("store"), configuration: configuration)
            store.abandon()
        }
    }

    @Test("A segment that lost its header and has groups is damage")
    func lostHeader() throws {
        let scratch = try Scratch()
        let configuration = Review.configuration()
        let first = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        _ = try first.blocking.append(Append(Review.mailbox(0), text: "accepted"))
        try first.close()
        let second = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        _ = try second.blocking.append(Append(Review.mailbox(0), text: "accepted, too"))
        second.abandon()
        try Self.zeroSector(at: 0, in: scratch)
        let error = #expect(throws: StoreError.self) {
            try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        }
        #expect(error?.code == .corrupted)
    }

    /// Zeroes a sector of the segment that was written last.
    private static func zeroSector(at offset: UInt64, in scratch: Scratch) throws {
        let directory = scratch.file("store/shard-000/journal")
        let newest = try #require(
            FileManager.default.contentsOfDirectory(atPath: directory).max { left, right in
                let dates = try? [left, right].map {
                    try FileManager.default.attributesOfItem(atPath: "\(directory)/\($0)")[
                        .modificationDate] as? Date ?? .distantPast
                }
                return dates.map { $0[0] < $0[1] } ?? false
            })
        let handle = try #require(FileHandle(forUpdatingAtPath: "\(directory)/\(newest)"))
        try handle.seek(toOffset: offset)
        try handle.write(contentsOf: Data(count: 512))
        try handle.close()
    }

    @Test("Recovery holds its entry numbers against the checkpoint thread")
    func recoveryEviction() async {
        let result = await #expect(processExitsWith: .success, observing: [\.standardErrorContent])
        {
            for _ in 0..<1 {
                let scratch = try Scratch()
                var configuration = Review.configuration()
                configuration.retention = .newest(.max)
                configuration.journalSegmentBytes = 4 << 20
                configuration.checkpointJournalBytes = 512 << 20
                configuration.tailBytesMaximum = 512 << 20
                let path = scratch.file("store")
                var random = SystemRandomNumberGenerator()
                var counts = [Int](repeating: 0, count: 10_000)
                let first = try MailboxStore.open(at: path, configuration: configuration)
                for _ in 0..<10 {
                    var batch: [Append] = []
                    for _ in 0..<5_000 {
                        let number = Int.random(in: 0..<10_000, using: &random)
                        counts[number] += 1
                        batch.append(Append(try Review.mailbox(number), text: "message"))
                    }
                    _ = try first.blocking.append(batch: batch)
                }
                first.abandon()
                configuration.checkpointIntervalMilliseconds = 10
                let store = try MailboxStore.open(at: path, configuration: configuration)
                for number in counts.indices {
                    let max = try store.head(Review.mailbox(number)).max
                    if Int(max) != counts[number] {
                        throw StoreError.corrupted("mailbox \(number): \(max) of \(counts[number])")
                    }
                }
                try store.blocking.checkpoint()
                let report = try store.verify()
                if !report.isSound { throw StoreError.corrupted("\(report.problems)") }
                store.abandon()
            }
        }
        if let error = result?.standardErrorContent {
            let text = String(decoding: error, as: UTF8.self)
            if text.contains("rror") { print(text.prefix(1_500)) }
        }
    }
}
