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
        let path = scratch.file("store")
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let store = try MailboxStore.open(at: path, configuration: .tiny())
        // Several runs: a count that is too high still stays below the newest sequence.
        for _ in 0..<8 {
            _ = try store.blocking.append(
                Append(mailbox, body: [UInt8](repeating: 0x78, count: 300)))
        }
        try store.close()

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
            bytes[value + 2] = UInt8(Int(bytes[value + 2]) + difference)
            let crc = bitwiseChecksum(key + bytes[value..<value + 4] + bytes[value + 8..<end])
            bytes.replaceSubrange(value + 4..<value + 8, with: littleEndian(crc))
            changed += 1
        }
        #expect(changed > 0)
        try Data(bytes).write(to: url)

        let again = try MailboxStore.open(at: path, configuration: .tiny())
        defer { again.abandon() }
        let error = #expect(throws: StoreError.self) {
            _ = Array(try again.read(mailbox, after: 0).messages)
        }
        #expect(error?.code == .corrupted)
    }
}
