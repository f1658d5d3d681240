import Foundation
import LMDB
import Mailbox
import Testing

@testable import StoreEngine

@Suite("Review: memory that never comes back, and damage that nobody sees")
struct ReviewMemoryAndVerifyTests {
    private func settle(_ store: MailboxStore) throws {
        for _ in 0..<3 {
            _ = try store.blocking.append(Append(Review.mailbox(90_000), text: "message"))
            try store.blocking.checkpoint()
        }
    }

    @Test("Mailboxes that were loaded for refused appends leave memory")
    func refusedAppends() throws {
        let scratch = try Scratch()
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: Review.configuration())
        let producer = Producer(device: try DeviceID("phone"), clientSequence: 2)
        for number in 0..<200 {
            #expect(throws: StoreError.self) {
                try store.blocking.append(
                    Append(Review.mailbox(number), producer: producer, text: "message"))
            }
        }
        try settle(store)
        #expect(try store.statistics().mailboxesInMemory <= 17)
        store.abandon()
    }

    @Test("Mailboxes that were acknowledged between a checkpoint and an append leave memory")
    func acknowledged() throws {
        let scratch = try Scratch()
        let store = try MailboxStore.open(
            at: scratch.file("store"), configuration: Review.configuration())
        for number in 0..<200 {
            _ = try store.blocking.append(Append(Review.mailbox(number), text: "message"))
        }
        try store.blocking.checkpoint()
        for number in 0..<200 {
            try store.acknowledge(Review.mailbox(number), through: Cursor(1, epoch: store.epoch))
        }
        try store.blocking.checkpoint()
        try settle(store)
        #expect(try store.statistics().mailboxesInMemory <= 17)
        store.abandon()
    }

    @Test("Verify sees that a waiting mailbox is not listed")
    func lostWaitingRecord() throws {
        let scratch = try Scratch()
        let configuration = Review.configuration()
        let mailbox = try Review.mailbox(0)
        let first = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        _ = try first.blocking.append(Append(mailbox, text: "message"))
        try first.blocking.checkpoint()
        try delete(MailboxKey(mailbox).bytes, first.shards[0].base.trees.waiting, first)
        try first.close()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        // The receiver that synchronises never hears of the message.
        #expect(try store.sync(mailbox.receiver, cursors: [:]).entries.isEmpty)
        #expect(try !store.verify().isSound)
        store.abandon()
    }

    @Test("A mailbox with messages and no head gives out no sequence again")
    func lostHead() throws {
        let scratch = try Scratch()
        let configuration = Review.configuration()
        let mailbox = try Review.mailbox(0)
        let first = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        _ = try first.blocking.append(Append(mailbox, text: "message"))
        try first.blocking.checkpoint()
        let key = BaseKey.head(MailboxKey(mailbox).bytes)
        try delete(key, first.shards[0].base.trees.messages, first)
        try first.close()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        #expect(throws: StoreError.self) {
            try store.blocking.append(Append(mailbox, text: "another"))
        }
        store.abandon()
    }

    private func delete(_ key: [UInt8], _ tree: Database, _ store: MailboxStore) throws {
        let shard = store.shards[0]
        try shard.onCheckpointThread { () throws(StoreError) in
            try onBase { () throws(LMDBError) in
                try shard.base.environment.write {
                    (transaction: inout WriteTransaction) throws(LMDBError) in
                    _ = try transaction.delete(key: key.span, in: tree)
                }
            }
        }
    }

    @Test("What the disk refuses is never the caller's argument")
    func readOnlyFileSystem() {
        #expect(StoreError.system("writing a segment", code: EROFS).code == .failed)
    }
}
