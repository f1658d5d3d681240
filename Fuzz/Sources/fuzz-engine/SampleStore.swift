import Foundation
import Fuzzing

@testable import Mailbox
@testable import StoreEngine

/// A small store with everything in it, made once; each input damages a copy.
struct SampleStore {
    /// Where one value of the data file is.
    struct Value {
        let key: [UInt8]
        let range: Range<Int>
    }

    let path: String
    let dataFile: [UInt8]
    /// What is in the leaves of the trees that are now, but for markers and LMDB's own records.
    let values: [Value]

    static let made: SampleStore = {
        do {
            return try SampleStore()
        } catch { violation("the sample store cannot be made: \(error)") }
    }()

    static var configuration: StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.messageBytesMaximum = 8 << 10
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 16 << 20
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.mapBytesInitial = 16 << 20
        configuration.tailBytesMaximum = 1 << 20
        configuration.headCacheMaximum = 16
        configuration.retention = .newest(3)
        return configuration
    }

    private init() throws {
        path = try ScratchDirectory.fresh("sample") + "/store"
        let store = try MailboxStore.open(at: path, configuration: Self.configuration)
        let device = try DeviceID("phone")
        for round in 0..<3 {
            for sender in 0..<3 {
                let mailbox = try MailboxID(sender: "s\(sender)", receiver: "r")
                for _ in 0..<4 {
                    let next = try store.sendState(mailbox, device: device) + 1
                    let body = [UInt8](repeating: UInt8(next), count: sender == 2 ? 1_200 : 60)
                    _ = try store.blocking.append(
                        Append(
                            mailbox, producer: Producer(device: device, clientSequence: next),
                            body: body))
                }
                let head = try store.head(mailbox)
                try store.acknowledge(mailbox, through: Cursor(head.max / 2, epoch: store.epoch))
            }
            if round == 0 { try store.blocking.compact() }
            if round == 1 { try store.blocking.checkpoint() }
        }
        store.abandon()
        dataFile = [UInt8](
            try Data(contentsOf: URL(fileURLWithPath: "\(path)/shard-000/data/data.mdb")))
        values = Self.values(in: dataFile)
    }

    private static func values(in bytes: [UInt8]) -> [Value] {
        func word(_ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }
        var values: [Value] = []
        for page in stride(from: 2 * 4_096, to: bytes.count, by: 4_096)
        where word(page + 10) == 0x02 {
            for slot in stride(from: page + 16, to: page + word(page + 12), by: 2) {
                let node = page + word(slot)
                let keyEnd = node + 8 + word(node + 6)
                let end = keyEnd + word(node)
                guard word(node + 4) == 0, end <= page + 4_096, end - keyEnd >= 8 else { continue }
                values.append(Value(key: Array(bytes[node + 8..<keyEnd]), range: keyEnd..<end))
            }
        }
        return values.filter { bytes[$0.range.lowerBound] == BaseRecord.version }
    }

    /// A copy of the store with another data file.
    func copy(dataFile: [UInt8]) throws -> String {
        let copy = "\(try ScratchDirectory.fresh("copy"))/store"
        try FileManager.default.copyItem(atPath: path, toPath: copy)
        try ScratchDirectory.write(dataFile, to: "\(copy)/shard-000/data/data.mdb")
        return copy
    }

    /// Reads everything that a store has, writes, and reads again. Only typed errors may come.
    static func use(_ path: String) throws(StoreError) {
        let store = try MailboxStore.open(at: path, configuration: configuration)
        defer { store.abandon() }
        _ = try? readEverything(store)
        _ = try? store.verify()
        let mailbox = try MailboxID(sender: "s1", receiver: "r")
        let device = try DeviceID("phone")
        let state = try store.sendState(mailbox, device: device)
        if state < .max {
            let producer = Producer(device: device, clientSequence: state + 1)
            let append = Append(mailbox, producer: producer, body: [1, 2, 3])
            let sequence = try store.blocking.append(append).sequence
            let again = try store.blocking.append(append)
            require(again.isDuplicate, "the same message was stored twice")
            require(again.sequence == sequence, "the same message has two sequences")
        }
        try store.blocking.checkpoint()
        _ = try store.blocking.compact(.unacknowledged)
        _ = try? readEverything(store)
    }

    private static func readEverything(_ store: MailboxStore) throws(StoreError) {
        var after: MailboxID?
        repeat {
            let page = try store.mailboxes(after: after, limit: 100)
            for entry in page.entries {
                let head = try store.head(entry.mailbox)
                let messages = try store.read(
                    entry.mailbox, after: head.floor, limit: PageLimit(messages: 100)
                ).messages
                for (index, message) in messages.enumerated() {
                    require(
                        message.sequence == head.floor + SequenceNumber(index) + 1,
                        "a message out of order was handed out")
                }
            }
            after = page.next
        } while after != nil
    }
}
