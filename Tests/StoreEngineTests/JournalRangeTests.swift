import Foundation
import Mailbox
import StoreEngine
import Testing

/// A header whose checksum holds, with numbers at the end of their range, ended the process when
/// the engine counted on from there. `Fuzz/`'s target `journal-frames` makes such headers.
@Suite("Numbers of the journal at the end of their range")
struct JournalRangeTests {
    /// Where each is in a segment's header.
    enum Field: Int, CaseIterable {
        case segmentBytes = 16
        case generation = 24
        case firstPosition = 32
    }

    @Test("A header that says them is refused", arguments: Field.allCases)
    func header(_ field: Field) throws {
        for value in [UInt64.max, UInt64(1) << 63] {
            let scratch = try Scratch()
            let store = try MailboxStore.open(at: scratch.file("store"), configuration: .tiny())
            _ = try store.blocking.append(
                Append(try MailboxID(sender: "alice", receiver: "bob"), text: "hello"))
            store.abandon()
            let journal = scratch.file("store/shard-000/journal")
            for name in try FileManager.default.contentsOfDirectory(atPath: journal) {
                let url = URL(fileURLWithPath: "\(journal)/\(name)")
                var bytes = [UInt8](try Data(contentsOf: url))
                guard bytes.starts(with: "MBXJRNL0".utf8) else { continue }
                let place = field.rawValue
                bytes.replaceSubrange(place..<place + 8, with: littleEndian(value))
                let identity = try Self.identity(of: scratch.file("store"))
                let crc = bitwiseChecksum(littleEndian(identity) + bytes[..<48])
                bytes.replaceSubrange(48..<52, with: littleEndian(crc))
                try Data(bytes).write(to: url)
            }
            let error = #expect(throws: StoreError.self) {
                try MailboxStore.open(at: scratch.file("store"), configuration: .tiny())
            }
            #expect(error?.code == .corrupted)
            #expect(error?.message.contains("no program wrote") == true)
        }
    }

    @Test("The checksum of this test is the engine's")
    func checksumIsRight() {
        #expect(bitwiseChecksum(Array("123456789".utf8)) == 0xE306_9283)
    }

    private static func identity(of store: String) throws -> UInt64 {
        let manifest = try String(contentsOfFile: "\(store)/STORE", encoding: .utf8)
        let line = try #require(manifest.split(separator: "\n").first { $0.hasPrefix("identity ") })
        return try #require(UInt64(line.dropFirst(9), radix: 16))
    }
}
