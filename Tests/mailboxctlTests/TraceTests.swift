import Mailbox
import Testing

@testable import mailboxctl

/// Bytes in pieces of a chosen size, as a slow pipe would give them.
private final class PiecemealSource: ByteSource {
    private var rest: ArraySlice<UInt8>
    private let pieceBytes: Int

    init(_ bytes: [UInt8], pieceBytes: Int) {
        rest = bytes[...]
        self.pieceBytes = pieceBytes
    }

    var fraction: Double? { nil }

    func read(atMost count: Int) throws(Failure) -> [UInt8] {
        let piece = rest.prefix(min(count, pieceBytes))
        rest = rest.dropFirst(piece.count)
        return Array(piece)
    }
}

@Suite struct TraceTests {
    private func reader(
        _ bytes: [UInt8], pieceBytes: Int = 1 << 20, bodyBytesMaximum: Int = 100,
        skips: Bool = false
    ) throws -> TraceReader {
        try TraceReader(
            PiecemealSource(bytes, pieceBytes: pieceBytes), name: "trace",
            bodyBytesMaximum: bodyBytesMaximum, skipsBadLines: skips)
    }

    private func records(_ reader: consuming TraceReader) throws -> [TraceRecord] {
        var records: [TraceRecord] = []
        while let record = try reader.next() { records.append(record) }
        return records
    }

    @Test(arguments: [1, 2, 7, 1 << 20])
    func linesAreFoundWhereverPiecesEnd(pieceBytes: Int) throws {
        let text = "a\tb\t5\thello\nb\ta\t6\twith\ttabs\nä\tö\t7\t"
        let found = try records(reader(Array(text.utf8), pieceBytes: pieceBytes))
        #expect(found.map(\.mailbox.description) == ["a → b", "b → a", "ä → ö"])
        #expect(found.map(\.timeMilliseconds) == [5_000, 6_000, 7_000])
        #expect(
            found.map { String(decoding: $0.body, as: UTF8.self) } == ["hello", "with\ttabs", ""])
    }

    @Test func nothingIsATraceWithoutMessages() throws {
        try #expect(records(reader([])).isEmpty)
    }

    @Test func bytesThatAreNoTextAreABody() throws {
        let found = try records(reader(Array("a\tb\t5\t".utf8) + [0xFF, 0x0D, 0x00]))
        #expect(found.map { Array($0.body) } == [[0xFF, 0x0D, 0x00]])
    }

    @Test(arguments: [
        ("a\tb\t5", "it has 3; expected 4 columns"), ("alone", "it has 1; expected"),
        ("", "it is empty; expected"), ("\tb\t5\tx", "sender: the address is empty"),
        ("a\t\t5\tx", "receiver: the address is empty"), ("a\tb\t\tx", "unix seconds: expected"),
        ("a\tb\t-5\tx", "unix seconds"), ("a\tb\t5.5\tx", "unix seconds"),
        ("a\tb\t281474976711\tx", "from 0 to 281474976710"),
        ("a\tb\t99999999999999999999\tx", "unix seconds"),
        ("a\u{1}\tb\t5\tx", "control character"),
        (String(repeating: "a", count: 65) + "\tb\t5\tx", "65 bytes long"),
        (
            "a\tb\t5\t" + String(repeating: "x", count: 101),
            "101 bytes; this store takes at most 100"
        ),
        ("a\tb\t5\t" + String(repeating: "x", count: 10_000), "longer than any message"),
    ])
    func aBadLineIsNamedAndExplained(line: String, reason: String) throws {
        let text = Array("a\tb\t5\tx\n\(line)\na\tb\t6\ty\n".utf8)
        var strict = try reader(text)
        try #expect(strict.next() != nil)
        let failure = #expect(throws: Failure.self) { try strict.next() }
        #expect(failure?.code == "badTraceLine")
        #expect(failure?.status == .data)
        #expect(failure?.message.hasPrefix("trace, line 2: ") == true)
        #expect(failure?.message.contains(reason) == true, "\(failure?.message ?? "")")

        var lenient = try reader(text, pieceBytes: 64, skips: true)
        try #expect(lenient.next()?.timeMilliseconds == 5_000)
        try #expect(lenient.next()?.timeMilliseconds == 6_000)
        try #expect(lenient.next() == nil)
        #expect(lenient.skippedLines == 1)
    }

    @Test func invalidUTF8InAnAddressIsABadLine() throws {
        var strict = try reader([0xC3, 0x28] + Array("\tb\t5\tx".utf8))
        let failure = #expect(throws: Failure.self) { try strict.next() }
        #expect(failure?.message.contains("not valid UTF-8") == true)
    }

    @Test(arguments: [1, 3, 1 << 20])
    func gzipIsUnpackedWhereverPiecesEnd(pieceBytes: Int) async throws {
        try await withDirectory { directory in
            let line = "a\tb\t5\t" + String(repeating: "hello ", count: 10) + "\n"
            let text = String(repeating: line, count: 3_000)
            let packed = try gzip(write(text, to: "trace", in: directory))
            // Members behind one another are one trace, as `cat a.gz b.gz` makes them.
            let found = try records(reader(packed + packed, pieceBytes: pieceBytes))
            #expect(found.count == 6_000)
        }
    }

    @Test func aDamagedGzipFileIsRefused() async throws {
        try await withDirectory { directory in
            var generator = TraceGenerator(count: 500, mailboxCount: 50, seed: 3)
            var text = ""
            while let record = try generator.next() {
                text += "\(record.mailbox.sender)\t\(record.mailbox.receiver)\t5\t"
                text += String(decoding: record.body, as: UTF8.self) + "\n"
            }
            let packed = try gzip(write(text, to: "trace", in: directory))
            func failure(_ bytes: [UInt8]) throws -> Failure? {
                let reader = try reader(bytes, bodyBytesMaximum: 1 << 16)
                return #expect(throws: Failure.self) { try records(reader) }
            }
            let early = try failure(Array(packed.dropLast(20)))
            #expect(early?.message == "the gzip file ends early")
            #expect(early?.status == .data)
            try #expect(failure(packed + [1, 2, 3])?.message.contains("behind its end") == true)
            var flipped = packed
            flipped[packed.count - 6] ^= 1
            try #expect(failure(flipped)?.message == "the gzip file is damaged")
            try #expect(failure(Array(packed.prefix(5)))?.code == "badTrace")
        }
    }

    @Test func theGeneratorMakesFewBusyMailboxesAndManyQuietOnes() throws {
        func counts(seed: UInt64) throws -> [MailboxID: Int] {
            var generator = TraceGenerator(count: 20_000, mailboxCount: 5_000, seed: seed)
            var counts: [MailboxID: Int] = [:]
            var time: Int64 = 0
            while let record = try generator.next() {
                #expect(record.timeMilliseconds >= time)
                #expect(record.mailbox.sender != record.mailbox.receiver)
                time = record.timeMilliseconds
                counts[record.mailbox, default: 0] += 1
            }
            #expect(generator.fraction == 1)
            return counts
        }
        let first = try counts(seed: 7)
        #expect(first.values.reduce(0, +) == 20_000)
        let busiest = first.values.sorted(by: >)
        #expect(busiest.prefix(busiest.count / 10).reduce(0, +) > 10_000)
        #expect(busiest.count > 1_000)
        try #expect(counts(seed: 7) == first)
        try #expect(counts(seed: 8) != first)
    }

    @Test func theClockFollowsAndNeverGoesBack() {
        let clock = TraceClock()
        clock.advance(to: 5)
        clock.advance(to: 3)
        #expect(clock.now() == 5)
    }
}
