import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// FAILURES row 19: what the disk changed is noticed, and a wrong body is never handed out.
@Suite("Damaged files")
struct DamageTests {
    private static let mailboxes = 8
    private static let messages = 40

    private static func configuration() -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 256 << 10
        configuration.checkpointJournalBytes = 1 << 20
        configuration.messageBytesMaximum = 8 << 10
        configuration.retention = .newest(.max)
        configuration.checkpointIntervalMilliseconds = 3_600_000
        return configuration
    }

    private static func mailbox(_ number: Int) throws -> MailboxID {
        try MailboxID(sender: "sender\(number)", receiver: "receiver")
    }

    private static func body(_ number: Int, _ sequence: Int) -> [UInt8] {
        Array("\(number)/\(sequence) ".utf8) + [UInt8](repeating: UInt8(sequence), count: 50)
    }

    /// A store of which a part is in the data file and the rest in the journal alone.
    private static func fill(_ path: String) throws {
        let store = try MailboxStore.open(at: path, configuration: configuration())
        for sequence in 1...messages {
            for number in 0..<mailboxes {
                let append = Append(try mailbox(number), body: body(number, sequence))
                _ = try store.blocking.append(append)
            }
            if sequence == messages / 2 { try store.blocking.checkpoint() }
        }
        store.abandon()
    }

    /// Opens and reads everything. Damage may be refused at any step; a body that comes must be the
    /// right one.
    ///
    /// - Returns: a place where a wrong body came, nil when there was none.
    private static func examine(_ path: String) throws -> String? {
        let store: MailboxStore
        do {
            store = try MailboxStore.open(at: path, configuration: configuration())
        } catch {
            return nil
        }
        defer { store.abandon() }
        for number in 0..<mailboxes {
            do {
                let page = try store.read(
                    Self.mailbox(number), after: 0, limit: PageLimit(messages: 1_000))
                var expected = 1
                for message in page.messages {
                    if Int(message.sequence) != expected
                        || Array(message.body) != body(number, expected)
                    {
                        return "mailbox \(number), sequence \(message.sequence)"
                    }
                    expected += 1
                }
                // Damage to the newest group reads as a torn end; nothing before it may be missing.
                if expected <= messages - 1 { return "mailbox \(number) ends at \(expected - 1)" }
            } catch {
                continue
            }
        }
        return nil
    }

    private static func files(_ path: String) -> [String] {
        let journal = "\(path)/shard-000/journal"
        let names = (try? FileManager.default.contentsOfDirectory(atPath: journal)) ?? []
        return ["\(path)/shard-000/data/data.mdb"] + names.sorted().map { "\(journal)/\($0)" }
    }

    @Test("Flipped bits of the journal never change a body that is handed out")
    func bitFlips() throws {
        let environment = ProcessInfo.processInfo.environment
        let count = Int(environment["MAILBOX_FLIPS"] ?? "") ?? 300
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("bitFlips(): seed \(seed), \(count) flips")
        var random = SeededRandom(seed: seed)
        let scratch = try Scratch()
        let original = scratch.file("original")
        try Self.fill(original)
        for flip in 0..<count {
            let copy = scratch.file("copy")
            try FileManager.default.copyItem(atPath: original, toPath: copy)
            defer { try? FileManager.default.removeItem(atPath: copy) }
            // The journal's alone: a flipped length in the data file can end the process
            // (docs/TESTING.md).
            let file = Self.files(copy).dropFirst().randomElement(using: &random)!
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            // Where data is: the first part of a file, the rest is zeroes.
            let end = min(try handle.seekToEnd(), 200_000)
            let offset = UInt64.random(in: 0..<end, using: &random)
            try handle.seek(toOffset: offset)
            let byte = try #require(try handle.read(upToCount: 1)?.first)
            try handle.seek(toOffset: offset)
            try handle.write(
                contentsOf: Data([byte ^ (1 << UInt8.random(in: 0..<8, using: &random))]))
            try handle.close()
            let wrong = try Self.examine(copy)
            #expect(
                wrong == nil, "seed \(seed), flip \(flip): \(file) at \(offset): \(wrong ?? "")")
        }
    }

    @Test("Damage in the middle of a journal is refused, and said where")
    func middleOfJournal() throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        try Self.fill(path)
        // Group 200 of 320: behind the checkpoint, in front of others.
        let journal = try #require(Self.files(path).dropFirst().last)
        for file in Self.files(path).dropFirst() {
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            let data = try #require(try handle.readToEnd())
            guard let place = Self.frame(200, in: data) else { continue }
            try handle.seek(toOffset: UInt64(place + 60))
            try handle.write(contentsOf: Data([data[place + 60] ^ 1]))
            try handle.close()
        }
        let error = #expect(throws: StoreError.self) {
            try MailboxStore.open(at: path, configuration: Self.configuration())
        }
        #expect(error?.code == .corrupted, "\(journal)")
        #expect(error?.message.contains("group 200") == true)
    }

    @Test("A torn newest group ends the log, and what was before is there")
    func tornEnd() throws {
        let scratch = try Scratch()
        let path = scratch.file("store")
        try Self.fill(path)
        for file in Self.files(path).dropFirst() {
            let handle = try #require(FileHandle(forUpdatingAtPath: file))
            let data = try #require(try handle.readToEnd())
            guard let place = Self.frame(320, in: data) else { continue }
            try handle.seek(toOffset: UInt64(place + 60))
            try handle.write(contentsOf: Data([data[place + 60] ^ 1]))
            try handle.close()
        }
        let store = try MailboxStore.open(at: path, configuration: Self.configuration())
        let maxima = try (0..<Self.mailboxes).map { try store.head(Self.mailbox($0)).max }
        #expect(maxima == [40, 40, 40, 40, 40, 40, 40, 39])
        // The number is given again, to the next message; nobody was ever told of the torn one.
        let again = try store.blocking.append(Append(Self.mailbox(7), text: "again"))
        #expect(again.sequence == 40)
        store.abandon()
        let reopened = try MailboxStore.open(at: path, configuration: Self.configuration())
        #expect(try reopened.head(Self.mailbox(7)).max == 40)
        #expect(try reopened.verify().isSound)
        reopened.abandon()
    }

    /// Where the frame of a group begins, by its magic and position.
    private static func frame(_ group: UInt64, in data: Data) -> Int? {
        stride(from: 4_096, to: data.count - 40, by: 4_096).first { offset in
            data[offset..<offset + 4].elementsEqual("MBXF".utf8)
                && data[offset + 8..<offset + 16].enumerated().reduce(UInt64(0)) {
                    $0 | UInt64($1.element) << UInt64(8 * $1.offset)
                } == group
        }
    }
}
