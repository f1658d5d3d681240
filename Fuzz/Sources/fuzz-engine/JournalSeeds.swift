import Fuzzing

@testable import Mailbox
@testable import StoreEngine

/// Segments as the engine writes them, and as it would never write them.
enum JournalSeeds {
    /// A group's payload: appends with and without a producer, and acknowledgements.
    static func payload(_ count: Int) -> [UInt8] {
        var payload: [UInt8] = []
        for number in 1...count {
            let key = MailboxKey(bytes: Array("\u{4}bert\u{4}anna".utf8).span)!
            JournalRecord.beginAppend(key, to: &payload)
            payload += MessageSeeds.message(number)
            JournalRecord.encodeAcknowledge(
                key, through: SequenceNumber(number) / 2, to: &payload)
        }
        return payload
    }

    /// A whole segment with so many groups.
    static func segment(groups: Int) -> [UInt8] {
        var bytes = JournalSegment.headerBlock(
            JournalSegment.Header(
                shard: 0, segmentByteCount: (groups + 2) * 4_096, generation: 2,
                firstPosition: JournalPosition(1)), seed: JournalFiles.seed)
        for number in 1...groups {
            let payload = payload(number)
            bytes += JournalFrame(
                position: JournalPosition(UInt64(number)), generation: 2,
                syncedThrough: JournalPosition(UInt64(number - 1)), recordCount: 2 * number,
                payloadByteCount: payload.count
            ).pieces(payload: payload, seed: JournalFiles.seed).joined()
        }
        return bytes + [UInt8](repeating: 0, count: 4_096)
    }

    /// Makes every checksum of a segment right, as far as the bytes say what it covers.
    static func repair(_ bytes: inout [UInt8]) {
        let crc = checksum(bytes[0..<48], seed: JournalFiles.seed)
        bytes.replaceSubrange(48..<52, with: littleEndian(crc))
        for frame in stride(from: 4_096, to: bytes.count, by: 4_096)
        where bytes[frame..<frame + 4].elementsEqual("MBXF".utf8) {
            let count = bytes[frame + 4..<frame + 8].reversed().reduce(0) { $0 << 8 | Int($1) }
            let end = frame + 40 + count
            guard end <= bytes.count else { continue }
            let header = checksum(bytes[frame..<frame + 36], seed: JournalFiles.seed)
            let whole = checksum(bytes[frame + 40..<end], seed: header)
            bytes.replaceSubrange(frame + 36..<frame + 40, with: littleEndian(whole))
        }
    }

    /// A number that is small, or anything at all.
    private static func number(_ reader: inout ByteReader, isLarge: Bool) -> UInt64 {
        isLarge ? reader.integer() : UInt64(reader.byte() % 16)
    }

    /// A segment that the input describes: 16 KiB, frames at any of its blocks. None is of a later
    /// generation than its header: generations only rise, and a header is durable before its first
    /// frame is written.
    static func segment(_ reader: inout ByteReader) -> [UInt8] {
        let flags = reader.byte()
        let header = JournalSegment.Header(
            shard: flags & 1 == 0 ? 0 : UInt32(reader.byte()),
            segmentByteCount: flags & 2 == 0 ? 16 << 10 : Int(reader.integer(UInt32.self)),
            generation: number(&reader, isLarge: flags & 4 != 0),
            firstPosition: JournalPosition(number(&reader, isLarge: flags & 8 != 0)))
        var bytes = JournalSegment.headerBlock(header, seed: JournalFiles.seed)
        if flags & 16 != 0 { bytes[Int(reader.byte()) % 52] ^= reader.byte() }
        for _ in 0..<reader.number(below: 4) where bytes.count < 16 << 10 {
            let kind = reader.byte()
            if kind & 1 != 0 { bytes += [UInt8](repeating: 0, count: 4_096) }
            let payload = reader.bytes(Int(reader.byte()))
            let frame = JournalFrame(
                position: JournalPosition(number(&reader, isLarge: kind & 2 != 0)),
                generation: min(header.generation, number(&reader, isLarge: kind & 4 != 0)),
                syncedThrough: JournalPosition(number(&reader, isLarge: kind & 8 != 0)),
                recordCount: Int(reader.byte()), payloadByteCount: payload.count)
            var block = Array(frame.pieces(payload: payload, seed: JournalFiles.seed).joined())
            if kind & 16 != 0 { block[Int(reader.byte())] ^= reader.byte() }
            bytes += block
        }
        bytes = Array(bytes.prefix(16 << 10))
        return bytes + [UInt8](repeating: 0, count: (16 << 10) - bytes.count)
    }

    /// Inputs of `journal-frames`: one segment, two in a row, a torn end, damage in the middle.
    static let descriptions: [[UInt8]] = [
        // position, segments; flags, generation, first; frames; each kind, bytes, position …
        [0, 0, 0, 2, 1, 2, 0, 1, 9, 1, 2, 0, 1, 0, 1, 9, 2, 2, 1, 1],
        [
            0, 1, 0, 2, 1, 2, 0, 1, 9, 1, 2, 0, 1, 0, 1, 9, 2, 2, 1, 1,
            0, 3, 3, 1, 0, 1, 9, 3, 3, 2, 1,
        ],
        [0, 0, 0, 2, 1, 2, 0, 1, 9, 1, 2, 0, 1, 16, 1, 9, 2, 2, 1, 1, 50, 4],
        [0, 0, 0, 2, 1, 2, 16, 1, 9, 1, 2, 0, 1, 50, 4, 0, 1, 9, 2, 2, 1, 1],
        [3, 1, 0, 2, 1, 0, 0, 3, 4, 1, 0, 1, 9, 4, 3, 3, 1],
    ]
}
