import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

@Suite("A journal that was torn or damaged")
struct JournalDamageTests {
    /// A store that stopped dead, all of it in the journal: message n is group n.
    private struct Victim {
        static let count = 40
        let scratch: Scratch
        let bodies: [[UInt8]]

        static var configuration: StoreConfiguration {
            var configuration = StoreConfiguration.tiny()
            configuration.checkpointIntervalMilliseconds = 3_600_000
            configuration.checkpointJournalBytes = 64 << 20
            configuration.tailBytesMaximum = 64 << 20
            return configuration
        }

        static func mailbox() throws -> MailboxID {
            try MailboxID(sender: "alice", receiver: "bob")
        }

        init() async throws {
            scratch = try Scratch()
            var random = SeededRandom(seed: 11)
            bodies = (0..<Self.count).map { random.bytes(100 + $0 * 150) }
            let store = try MailboxStore.open(
                at: scratch.file("store"), configuration: Self.configuration)
            for body in bodies {
                _ = try await store.append(Append(try Self.mailbox(), body: body))
            }
            store.abandon()
        }

        private var journal: String { scratch.file("store/shard-000/journal") }

        /// The segments' names, oldest first, without the spare ones.
        func segments() throws -> [String] {
            try FileManager.default.contentsOfDirectory(atPath: journal).sorted().filter {
                try !frames(in: bytes($0)).isEmpty
            }
        }

        func bytes(_ segment: String) throws -> [UInt8] {
            [UInt8](try Data(contentsOf: URL(fileURLWithPath: "\(journal)/\(segment)")))
        }

        /// Where frames begin, and how long they are without their padding.
        func frames(in bytes: [UInt8]) -> [(offset: Int, byteCount: Int)] {
            stride(from: 4_096, to: bytes.count, by: 4_096).compactMap { offset in
                guard bytes[offset..<offset + 4] == [0x4D, 0x42, 0x58, 0x46] else { return nil }
                let payload = (0..<4).reduce(0) { $0 | Int(bytes[offset + 4 + $1]) << (8 * $1) }
                return (offset, 40 + payload)
            }
        }

        /// Opens a copy of the store with other bytes in one segment, or without it when nil.
        ///
        /// - Parameter group: where the refusal must say that the damage is.
        /// - Returns: the messages that are left; nil when the store was refused as damaged.
        func reopened(
            _ segment: String, as bytes: [UInt8]?, group: Int? = nil
        ) throws -> Int? {
            let copy = scratch.file("copy")
            try? FileManager.default.removeItem(atPath: copy)
            try FileManager.default.copyItem(atPath: scratch.file("store"), toPath: copy)
            let path = "\(copy)/shard-000/journal/\(segment)"
            try FileManager.default.removeItem(atPath: path)
            if let bytes { try Data(bytes).write(to: URL(fileURLWithPath: path)) }
            let store: MailboxStore
            do {
                store = try MailboxStore.open(at: copy, configuration: Self.configuration)
            } catch {
                #expect(error.code == .corrupted)
                if let group { #expect(error.message.contains("group \(group)")) }
                return nil
            }
            defer { store.abandon() }
            let mailbox = try Self.mailbox()
            let count = Int(try store.head(mailbox).max)
            var messages: [Message] = []
            while messages.count < count {
                messages += try store.read(
                    mailbox, after: SequenceNumber(messages.count), through: nil,
                    limit: PageLimit(messages: 1_000, bytes: 1 << 20)
                ).messages
            }
            #expect(messages.map(\.sequence) == (0..<count).map { SequenceNumber($0 + 1) })
            let isSame = messages.map { Array($0.body) } == Array(bodies.prefix(count))
            #expect(isSame, "a wrong body was handed out")
            try expectSound(store)
            let next = try store.blocking.append(Append(mailbox, text: "next"))
            #expect(next.sequence == SequenceNumber(count + 1))
            // The torn end stays superseded.
            store.abandon()
            let again = try MailboxStore.open(at: copy, configuration: Self.configuration)
            defer { again.abandon() }
            #expect(try again.head(mailbox).max == SequenceNumber(count + 1))
            return count
        }
    }

    @Test("Untouched, everything is there")
    func untouched() async throws {
        let victim = try await Victim()
        let segments = try victim.segments()
        #expect(segments.count >= 3)
        for segment in segments {
            #expect(try victim.reopened(segment, as: victim.bytes(segment)) == Victim.count)
        }
    }

    @Test("The last group torn anywhere ends the log in front of it")
    func tornEnd() async throws {
        let victim = try await Victim()
        let segment = try #require(try victim.segments().last)
        let bytes = try victim.bytes(segment)
        let last = try #require(victim.frames(in: bytes).last)
        for cut in stride(from: 0, to: last.byteCount, by: 97) {
            var torn = bytes
            let place = last.offset + cut
            torn.replaceSubrange(place..., with: repeatElement(0, count: torn.count - place))
            #expect(try victim.reopened(segment, as: torn) == Victim.count - 1, "cut at \(cut)")
        }
        // Sectors reach the disk in any order: the first may be what is missing.
        var headless = bytes
        headless.replaceSubrange(
            last.offset..<last.offset + 512, with: repeatElement(0, count: 512))
        #expect(try victim.reopened(segment, as: headless) == Victim.count - 1)
    }

    @Test("A damaged group with good ones behind it is refused, wherever it is damaged")
    func damagedMiddle() async throws {
        let victim = try await Victim()
        var random = SeededRandom(seed: 5)
        let segments = try victim.segments()
        for segment in segments {
            let bytes = try victim.bytes(segment)
            for frame in victim.frames(in: bytes) {
                let group = Int(bytes[frame.offset + 8])
                if group == Victim.count { continue }
                for place in [
                    0, 5, 9, 20, 30, 37, Int.random(in: 40..<frame.byteCount, using: &random),
                ] {
                    var damaged = bytes
                    damaged[frame.offset + place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                    #expect(
                        try victim.reopened(segment, as: damaged, group: group) == nil,
                        "\(segment), group \(group), byte \(place)")
                }
            }
        }
    }

    @Test("One bit flipped anywhere is seen, is the torn end, or makes no difference")
    func anyBit() async throws {
        let victim = try await Victim()
        var random = SeededRandom(seed: 6)
        let segments = try victim.segments()
        var refused = 0
        for segment in segments {
            let bytes = try victim.bytes(segment)
            for _ in 0..<60 {
                var damaged = bytes
                let place = Int.random(in: 0..<bytes.count, using: &random)
                damaged[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
                let left = try victim.reopened(segment, as: damaged)
                let isHarmless = left == Victim.count
                let isTornEnd = left == Victim.count - 1 && segment == segments.last
                #expect(left == nil || isHarmless || isTornEnd, "\(segment), byte \(place)")
                refused += left == nil ? 1 : 0
            }
        }
        #expect(refused > 0)
    }

    @Test("A segment that is gone, cut short or without its header is missed")
    func missing() async throws {
        let victim = try await Victim()
        let segments = try victim.segments()
        for (number, segment) in segments.enumerated() {
            let bytes = try victim.bytes(segment)
            var headless = bytes
            headless.replaceSubrange(0..<4_096, with: repeatElement(0, count: 4_096))
            let isLast = number == segments.count - 1
            #expect(try victim.reopened(segment, as: headless) == nil, "\(segment) without header")
            // An empty last one is what a cut creation leaves, and takes no groups with it.
            for count in [0, 100, 4_096, bytes.count / 2, bytes.count - 4_096]
            where count > 0 || !isLast {
                #expect(
                    try victim.reopened(segment, as: Array(bytes.prefix(count))) == nil,
                    "\(segment) of \(count) bytes")
            }
            // Nothing says that there was another behind the last.
            if !isLast { #expect(try victim.reopened(segment, as: nil) == nil) }
        }
    }

    /// A disk lost the end of a segment whose groups a checkpoint had written into the data file.
    @Test("Groups that the data file has are not missed in the journal")
    func groupsBehindACheckpoint() async throws {
        let victim = try await Victim()
        let path = victim.scratch.file("store")
        let mailbox = try Victim.mailbox()
        var count = SequenceNumber(Victim.count)
        func open() throws -> MailboxStore {
            try MailboxStore.open(at: path, configuration: Victim.configuration)
        }
        var store = try open()
        #expect(try store.verify().journalGroups == Victim.count)
        try await store.checkpoint()
        store.abandon()
        // The newest segment stays; its groups go.
        let newest = try #require(try victim.segments().last)
        var bytes = try victim.bytes(newest)
        let lost = victim.frames(in: bytes).count
        bytes.replaceSubrange(4_096..., with: repeatElement(0, count: bytes.count - 4_096))
        let file = victim.scratch.file("store/shard-000/journal/\(newest)")
        try Data(bytes).write(to: URL(fileURLWithPath: file))
        #expect(lost > 0)
        store = try open()
        defer { store.abandon() }
        for _ in 0..<10 {
            #expect(try store.head(mailbox).max == count)
            try expectSound(store)
            count = try #require(try await store.append(Append(mailbox, text: "next")).sequence)
        }
        // The segment is used again, and looked at again.
        try await store.checkpoint()
        let groups = try store.verify().journalGroups
        for _ in 0..<40 { _ = try await store.append(Append(mailbox, text: "more")) }
        #expect(try store.verify().journalGroups == groups + 40)
        try expectSound(store)
    }

    @Test("What a segment holds of its earlier use is not taken for new groups")
    func recycled() async throws {
        let scratch = try Scratch()
        let mailbox = try Victim.mailbox()
        var stale = 0
        var count: SequenceNumber = 0
        for round in 0..<30 {
            let store = try MailboxStore.open(
                at: scratch.file("store"), configuration: Victim.configuration)
            #expect(try store.head(mailbox).max == count)
            // Now many, so that segments fill; now few, so that old frames stay behind new ones.
            for _ in 0..<(round % 3 == 0 ? 50 : round % 3) {
                count = try await store.append(Append(mailbox, text: "x")).sequence ?? 0
            }
            if round % 3 != 1 { try await store.checkpoint() }
            store.abandon()
            let journal = scratch.file("store/shard-000/journal")
            for name in try FileManager.default.contentsOfDirectory(atPath: journal) {
                let bytes = [UInt8](
                    try Data(contentsOf: URL(fileURLWithPath: "\(journal)/\(name)")))
                let generations = stride(from: 4_096, to: bytes.count, by: 4_096).compactMap {
                    bytes[$0] == 0x4D ? Array(bytes[$0 + 16..<$0 + 24]) : nil
                }
                stale += Set(generations).count > 1 ? 1 : 0
            }
        }
        #expect(stale > 0, "no segment was used again before its old frames were gone")
    }
}
