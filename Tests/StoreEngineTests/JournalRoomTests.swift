import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// No room in the journal: what was answered as refused is not there, what was accepted is, and a
/// sync that finds no room is a sync that failed.
@Suite("No room in the journal")
struct JournalRoomTests {
    private let scratch: Scratch
    private let faults = ReviewFaults()
    private let mailbox: MailboxID

    init() throws {
        scratch = try Scratch()
        mailbox = try Review.mailbox(0)
    }

    private func open() throws -> MailboxStore {
        try MailboxStore.open(
            at: scratch.file("store"), configuration: Review.configuration(faults))
    }

    private func append(_ store: MailboxStore, bytes: Int) throws -> SequenceNumber? {
        try store.blocking.append(
            Append(mailbox, body: [UInt8](repeating: 1, count: bytes))
        ).sequence
    }

    private func refusal(_ store: MailboxStore, bytes: Int = 10) -> StoreError.Code? {
        do {
            _ = try append(store, bytes: bytes)
            return nil
        } catch {
            return (error as? StoreError)?.code
        }
    }

    @Test("A sync that finds no room ends the store, as every failed sync does")
    func syncWithoutRoom() throws {
        let store = try open()
        #expect(try append(store, bytes: 10) == 1)
        faults.arm { $0 == .journalSync ? Review.full : nil }
        #expect(refusal(store) == .failed)
        faults.arm(nil)
        // There is room again; what the sync dropped nobody knows.
        #expect(refusal(store) == .failed)
        #expect(try store.head(mailbox).max == 1)
        store.abandon()
        let reopened = try open()
        #expect([1, 2].contains(try reopened.head(mailbox).max))
        #expect(refusal(reopened) == nil)
        reopened.abandon()
    }

    @Test("The same for a sync that a checkpoint asks for")
    func checkpointSyncWithoutRoom() throws {
        var configuration = Review.configuration(faults)
        configuration.durability = .system
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        #expect(try append(store, bytes: 10) == 1)
        faults.arm { $0 == .journalSync ? Review.full : nil }
        let error = #expect(throws: StoreError.self) { try store.blocking.checkpoint() }
        #expect(error?.code == .failed)
        faults.arm(nil)
        #expect(refusal(store) == .failed)
        store.abandon()
    }

    /// Two syncs of one file beside each other: the kernel tells one of them of an error. The other
    /// one took all for durable, and a fresh segment followed groups that were lost: after a power
    /// cut the store did not open.
    @Test("Nothing follows a sync that fails beside another one")
    func syncsTakeTurns() async throws {
        var configuration = Review.configuration(faults)
        configuration.durability = .system
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: configuration)
        // A segment has 15 blocks for groups: the next group begins another one.
        for number in 1...15 { #expect(try append(store, bytes: 10) == SequenceNumber(number)) }
        let entered = ReviewBox<Bool>()
        let begins = ReviewBox<Bool>()
        let begun = ReviewBox<Bool>()
        faults.arm { point in
            switch point {
            case .journalSync where entered.value == nil:
                entered.put(true)
                _ = begins.wait(seconds: 30)
                // Long enough for another sync to pass, and a header to be written.
                for _ in 0..<20_000 where begun.value == nil { sched_yield() }
                return StoreError(code: .failed, message: "injected")
            case .journalHeaderEnd:
                begun.put(true)
                return nil
            default: return nil
            }
        }
        let checkpoint = ReviewBox<StoreError.Code>()
        Thread.detachNewThread {
            do { try store.blocking.checkpoint() } catch {
                if let error = error as? StoreError { checkpoint.put(error.code) }
            }
        }
        #expect(entered.wait(seconds: 30) == true)
        begins.put(true)
        #expect(refusal(store) == .failed)
        #expect(begun.value == nil)
        #expect(checkpoint.wait(seconds: 30) == .failed)
        faults.arm(nil)
        store.abandon()
        let reopened = try open()
        #expect(try reopened.verify().isSound)
        reopened.abandon()
    }

    /// The write had come to the group's end but for the padding: the next open took the group for
    /// good, although its sender had heard that nothing was stored.
    @Test("A group that was refused for lack of room is not there after a crash")
    func writeCutShort() throws {
        let store = try open()
        #expect(try append(store, bytes: 10) == 1)
        faults.arm { $0 == .journalWriteEnd ? Review.full : nil }
        #expect(refusal(store) == .storageFull)
        faults.arm(nil)
        store.abandon()
        let reopened = try open()
        #expect(try reopened.head(mailbox).max == 1)
        #expect(try append(reopened, bytes: 10) == 2)
        reopened.abandon()
    }

    @Test("After a group that was refused for lack of room the journal goes on")
    func goesOn() throws {
        let store = try open()
        #expect(try append(store, bytes: 10) == 1)
        faults.arm { $0 == .journalWriteEnd ? Review.full : nil }
        #expect(refusal(store, bytes: 9_000) == .storageFull)
        faults.arm(nil)
        #expect(try append(store, bytes: 10) == 2)
        store.abandon()
        let reopened = try open()
        #expect(try reopened.head(mailbox).max == 2)
        #expect(try reopened.verify().isSound)
        reopened.abandon()
    }

    /// The header was there, and said that the log goes on in its segment; a smaller group went to
    /// the older segment all the same. The next open ended that one in front of the group.
    @Test("A group that is accepted after a fresh segment lacked room is not lost")
    func headerCutShort() throws {
        let store = try open()
        // A segment has 15 blocks for groups: one is left.
        for number in 1...14 { #expect(try append(store, bytes: 10) == SequenceNumber(number)) }
        faults.arm { $0 == .journalHeaderEnd ? Review.full : nil }
        #expect(refusal(store, bytes: 9_000) == .storageFull)
        faults.arm(nil)
        #expect(try append(store, bytes: 10) == 15)
        store.abandon()
        let reopened = try open()
        #expect(try reopened.head(mailbox).max == 15)
        #expect(try reopened.verify().isSound)
        reopened.abandon()
    }
}
