import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// FAILURES row 19: what the disk changed is noticed, and a wrong body is never handed out.
///
/// A process of its own looks at each damaged store, and `CheckMode` in it knows the bodies that
/// must come: LMDB may still end it, and that must not end the tests.
@Suite("Damaged files", .serialized)
struct DamageTests {
    private static let pageBytes = 4_096
    private static let dataFile = "data/data.mdb"

    /// A store of which a part is in the data file and the rest in the journal alone. A body's
    /// place alone determines it.
    private static func make(_ path: String, bodyStep: Int = 16) throws {
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 16 << 20
        configuration.messageBytesMaximum = 8 << 10
        configuration.retention = .newest(20)
        configuration.checkpointIntervalMilliseconds = 3_600_000
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let device = try DeviceID("phone")
        for round in 0..<4 {
            for sender in 0..<16 {
                let mailbox = try MailboxID(sender: "sender\(sender)", receiver: "r")
                let first = try store.sendState(mailbox, device: device) + 1
                let batch = (0..<ClientSequence(12)).map { number in
                    Append(
                        mailbox, producer: Producer(device: device, clientSequence: first + number),
                        text: "\(mailbox.sender) \(first + number) "
                            + String(
                                repeating: "x", count: number == 8 ? 2_500 : Int(number) * bodyStep)
                    )
                }
                for result in try store.blocking.append(batch: batch) { _ = try result.get() }
                let head = try store.head(mailbox)
                try store.acknowledge(mailbox, through: Cursor(head.max / 2, epoch: store.epoch))
            }
            if round == 1 { try store.blocking.compact() }
            if round == 2 { try store.blocking.checkpoint() }
        }
        store.abandon()
    }

    private enum Outcome: Equatable {
        case intact, refused, reported, died
        /// Sound, and yet not what was written.
        case other
        case wrong(String)
    }

    /// Lets a process look at a copy of the store with other bytes in one file.
    ///
    /// - Parameter expected: what it says of the store as it was made; nil when that is asked.
    private static func look(
        _ scratch: Scratch, _ file: String? = nil, _ bytes: [UInt8] = [], expected: String? = nil
    ) throws -> (outcome: Outcome, text: String) {
        let copy = scratch.file("copy")
        try? FileManager.default.removeItem(atPath: copy)
        try FileManager.default.copyItem(atPath: scratch.file("store"), toPath: copy)
        if let file {
            try Data(bytes).write(to: URL(fileURLWithPath: "\(copy)/shard-000/\(file)"))
        }
        let worker = Process()
        worker.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("crash-worker")
        worker.arguments = [copy, "check"]
        // A process that dies here need not say where.
        worker.environment = ProcessInfo.processInfo.environment
            .merging(["SWIFT_BACKTRACE": "enable=no"]) { $1 }
        let pipe = Pipe()
        worker.standardOutput = pipe
        worker.standardError = FileHandle.nullDevice
        try worker.run()
        let text = String(
            decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        worker.waitUntilExit()
        let lines = text.split(separator: "\n").map(String.init)
        if let wrong = lines.first(where: { $0.hasPrefix("WRONG") }) {
            return (.wrong(wrong), text)
        }
        if worker.terminationReason == .uncaughtSignal { return (.died, text) }
        if lines.contains(where: { $0.hasPrefix("refused") }) { return (.refused, text) }
        if lines.contains(where: { $0.hasPrefix("problems") }) { return (.reported, text) }
        return (expected == nil || expected == text ? .intact : .other, text)
    }

    private static func bytes(_ scratch: Scratch, _ file: String) throws -> [UInt8] {
        [UInt8](
            try Data(contentsOf: URL(fileURLWithPath: scratch.file("store/shard-000/\(file)"))))
    }

    private static func word(_ bytes: [UInt8], _ offset: Int) -> Int {
        Int(bytes[offset]) | Int(bytes[offset + 1]) << 8
    }

    @Test("A flipped bit never changes a body that is handed out, and no loss goes unseen")
    func bitFlips() throws {
        let environment = ProcessInfo.processInfo.environment
        let count = Int(environment["MAILBOX_FLIPS"] ?? "") ?? 150
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("bitFlips(): seed \(seed), \(count) flips")
        var random = SeededRandom(seed: seed)
        let scratch = try Scratch()
        try Self.make(scratch.file("store"))
        let (outcome, expected) = try Self.look(scratch)
        #expect(outcome == .intact)
        #expect(expected.split(separator: "\n").count == 17)
        let journal = try FileManager.default
            .contentsOfDirectory(atPath: scratch.file("store/shard-000/journal"))
            .sorted().map { "journal/\($0)" }
        let files = try (journal + journal.map { _ in Self.dataFile }).map {
            (name: $0, bytes: try Self.bytes(scratch, $0))
        }
        let newest = files.compactMap { Self.newestFrame($0.bytes)?.position }.max()
        var outcomes: [String: Int] = [:]
        let flips = try (0..<count).map { _ in
            let index = try #require(files.indices.randomElement(using: &random))
            return FlipWorker.Flip(
                file: index, place: Int.random(in: 0..<files[index].bytes.count, using: &random),
                bit: UInt8.random(in: 0..<8, using: &random))
        }
        let worker = FlipWorker(
            store: scratch.file("store"), copy: scratch.file("copies"),
            names: files.map { "shard-000/\($0.name)" })
        try worker.run(flips) { number, outcome in
            let (file, place) = (files[flips[number].file], flips[number].place)
            let isData = file.name == Self.dataFile
            outcomes[outcome, default: 0] += 1
            let isSeen: Bool
            switch outcome {
            case "intact", "refused", "reported": isSeen = true
            case "died": isSeen = isData && Self.isStructure(place, file.bytes)
            // Damage to the newest group reads as a torn end; nothing in front may be missing.
            case "other":
                let frame = isData ? nil : Self.newestFrame(file.bytes)
                isSeen = frame?.position == newest && place >= frame?.offset ?? .max
            default: isSeen = false
            }
            #expect(
                isSeen, "seed \(seed), flip \(number): \(file.name) at \(place): \(outcome)")
        }
        print("bitFlips(): \(outcomes)")
        print("flips.flips: \(outcomes.values.reduce(0, +))")
        print("flips.wrong_bodies: \(outcomes.filter { $0.key.hasPrefix("wrong") }.count)")
        print("flips.deaths_in_lmdb: \(outcomes["died", default: 0])")
        #expect(outcomes.values.reduce(0, +) == count)
    }

    /// The frame of a segment with the highest position.
    private static func newestFrame(_ bytes: [UInt8]) -> (position: Int, offset: Int)? {
        stride(from: pageBytes, to: bytes.count, by: pageBytes).filter {
            bytes[$0..<$0 + 4].elementsEqual("MBXF".utf8)
        }.map { (word(bytes, $0 + 8), $0) }.max { $0.0 < $1.0 }
    }

    /// Whether a byte of the data file belongs to what LMDB believes before it answers anything:
    /// a page's bounds, the places of its nodes, their flags, and the pages that branches name.
    private static func isStructure(_ place: Int, _ bytes: [UInt8]) -> Bool {
        let page = place / pageBytes * pageBytes
        let end = min(word(bytes, page + 12), pageBytes)
        if place < page + max(16, end) { return true }
        let isBranch = word(bytes, page + 10) & 1 != 0
        return stride(from: page + 16, to: page + end, by: 2).contains { slot in
            let node = page + word(bytes, slot)
            return (node + (isBranch ? 0 : 4)..<node + 8).contains(place)
        }
    }

    /// The data file's leaves, or its branches.
    private static func pages(_ flags: Int, _ bytes: [UInt8]) -> [Int] {
        stride(from: 2 * pageBytes, to: bytes.count, by: pageBytes).filter { page in
            word(bytes, page + 10) == flags && word(bytes, page + 12) > 16
        }
    }

    /// A node of the tree says how long its value is; a flipped bit made it leave the file, and
    /// what is not in the file cannot be read from its map: SIGBUS.
    @Test("A value that would leave the file is refused, and the process lives")
    func lengthBeyondTheFile() throws {
        let scratch = try Scratch()
        try Self.make(scratch.file("store"))
        let bytes = try Self.bytes(scratch, Self.dataFile)
        let leaves = Self.pages(0x02, bytes)
        #expect(leaves.count > 10)
        for page in stride(from: 0, to: leaves.count, by: 3).map({ leaves[$0] }) {
            var damaged = bytes
            damaged[page + Self.word(bytes, page + 16) + 2] |= 0x40
            #expect(try Self.look(scratch, Self.dataFile, damaged).outcome != .died)
        }
    }

    /// A walk from head to head followed such a branch round and round.
    @Test("A tree that leads back to where it was ends")
    func branchThatLeadsBack() throws {
        let scratch = try Scratch()
        // Large enough that a page holds a part of one mailbox only.
        try Self.make(scratch.file("store"), bodyStep: 200)
        let bytes = try Self.bytes(scratch, Self.dataFile)
        var seen = 0
        for page in Self.pages(0x01, bytes) {
            let nodes = stride(from: page + 16, to: page + Self.word(bytes, page + 12), by: 2)
                .map { page + Self.word(bytes, $0) }
            for node in nodes.dropFirst().prefix(8) {
                var damaged = bytes
                // This child is the first one once more.
                for byte in 0..<6 { damaged[node + byte] = bytes[nodes[0] + byte] }
                let outcome = try Self.look(scratch, Self.dataFile, damaged).outcome
                #expect([.intact, .refused, .reported].contains(outcome))
                seen += outcome == .intact ? 0 : 1
            }
        }
        #expect(seen > 0)
    }
}
