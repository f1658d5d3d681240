import Foundation
import Mailbox
import StoreEngine
import Testing

/// Found by `Fuzz/`, target `data-file-values`: a run with more messages in its count than in its
/// bytes, and a checksum that was right, was handed out whole; whoever walked the batch trapped.
@Suite("A run that says another number of messages than it holds")
struct RunCountTests {
    @Test("Reading it is refused as corrupted, whichever way the count is off", arguments: [1, -1])
    func refused(by difference: Int) throws {
        let scratch = try Scratch()
        let (path, mailbox) = try fill(scratch)
        try change(path) { bytes, value, _ in
            bytes[value + 2] = UInt8(Int(bytes[value + 2]) + difference)
        }
        let again = try MailboxStore.open(at: path, configuration: .tiny())
        defer { again.abandon() }
        let error = #expect(throws: StoreError.self) {
            _ = Array(try again.read(mailbox, after: 0).messages)
        }
        #expect(error?.code == .corrupted)
    }

    /// The same target's: a page that took a run in part handed out whatever sequence was there.
    @Test("A page that ends within a run has no message of another sequence")
    func outOfOrder() throws {
        let scratch = try Scratch()
        let (path, mailbox) = try fill(scratch)
        // Sequence 2, of 300 bytes, says that it is 3.
        let second: [UInt8] = [2, 0, 0, 0, 44, 1, 0, 0]
        try change(path) { bytes, value, end in
            let place = try #require(
                (value..<end - second.count).first {
                    bytes[$0..<$0 + second.count].elementsEqual(second)
                })
            bytes[place] = 3
        }
        let again = try MailboxStore.open(at: path, configuration: .tiny())
        defer { again.abandon() }
        let page = try again.read(mailbox, after: 0, limit: PageLimit(messages: 1))
        #expect(page.messages.count == 1)
        let error = #expect(throws: StoreError.self) {
            try again.read(mailbox, after: 0, limit: PageLimit(messages: 2))
        }
        #expect(error?.code == .corrupted)
    }

    /// The same target's: compaction took a message's bytes off a sum that was smaller.
    @Test("Compacting and going on behind it are refused, too", arguments: [0, 0xFF] as [UInt8])
    func wrongSum(of figure: UInt8) throws {
        let scratch = try Scratch()
        let (path, mailbox) = try fill(scratch)
        try change(path) { bytes, value, _ in
            for byte in 8..<12 { bytes[value + byte] = figure }
        }
        let again = try MailboxStore.open(at: path, configuration: .tiny())
        defer { again.abandon() }
        try again.acknowledge(mailbox, through: Cursor(1, epoch: again.epoch))
        let error = #expect(throws: StoreError.self) {
            try again.blocking.compact(.unacknowledged)
        }
        #expect(error?.code == .corrupted)
    }

    /// A store with one mailbox in several runs: a count that is too high still stays below the
    /// newest sequence.
    private func fill(_ scratch: Scratch) throws -> (path: String, mailbox: MailboxID) {
        let path = scratch.file("store")
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let store = try MailboxStore.open(at: path, configuration: .tiny())
        for _ in 0..<8 {
            _ = try store.blocking.append(
                Append(mailbox, body: [UInt8](repeating: 0x78, count: 300)))
        }
        try store.close()
        return (path, mailbox)
    }

    /// Changes the first run's value wherever the data file has it, and makes its checksum right.
    private func change(
        _ path: String, _ body: (inout [UInt8], _ value: Int, _ end: Int) throws -> Void
    ) throws {
        let url = URL(fileURLWithPath: "\(path)/shard-000/data/data.mdb")
        var bytes = [UInt8](try Data(contentsOf: url))
        let key = Array("\u{3}bob\u{5}alice\u{1}".utf8) + [0, 0, 0, 1]
        var changed = 0
        for place in 8..<bytes.count - key.count
        where bytes[place..<place + key.count].elementsEqual(key) {
            // The node's header in front says how long the value behind the key is.
            let value = place + key.count
            let end = value + Int(bytes[place - 8]) + Int(bytes[place - 7]) << 8
            guard end <= bytes.count, bytes[value] == 1, (2...7).contains(bytes[value + 2]) else {
                continue
            }
            try body(&bytes, value, end)
            let crc = bitwiseChecksum(key + bytes[value..<value + 4] + bytes[value + 8..<end])
            bytes.replaceSubrange(value + 4..<value + 8, with: littleEndian(crc))
            changed += 1
        }
        #expect(changed > 0)
        try Data(bytes).write(to: url)
    }
}
