import Fuzzing

@testable import Mailbox
@testable import StoreEngine

/// Segments on disk, opened as the engine opens them.
enum JournalFiles {
    static let identity: UInt64 = 0x6D61_696C_626F_7821
    static let seed = checksum(identity)

    /// Opens segments with these bytes, replays them, and goes on behind them.
    ///
    /// Whatever they hold, they are refused with a typed error, or the log can be used: what was
    /// replayed once is replayed again behind a clean close, together with what was appended.
    static func check(_ segments: [[UInt8]], after position: JournalPosition) throws {
        let directory = try ScratchDirectory.fresh("journal")
        for (number, bytes) in segments.enumerated() {
            try ScratchDirectory.write(
                bytes, to: "\(directory)/\(FileJournal.fileName(number + 1))")
        }
        let settings = FileJournal.Settings(
            directory: directory, shard: 0, segmentByteCount: 16 << 10, identity: identity,
            faults: nil)
        do throws(StoreError) {
            let before = try replayed(settings, after: position)
            let journal = before.journal
            _ = journal.verify()
            let payload = [UInt8](repeating: 7, count: 9)
            let end = try journal.append(
                payload, recordCount: 1, following: journal.end, synced: true)
            let after = try replayed(settings, after: position)
            require(after.groups.count == before.groups.count + 1, "a group came or went")
            require(after.groups.starts(with: before.groups, by: ==), "a group changed")
            require(after.groups.last?.position == end, "the new group has another position")
            require(after.groups.last?.payload == payload, "the new group has other bytes")
            require(after.journal.verify().problems.isEmpty, "a sound journal has problems")
        } catch {
            let expected: [StoreError.Code] = [.corrupted]
            require(expected.contains(error.code), "refused as \(error.code): \(error.message)")
        }
    }

    private struct Group: Equatable {
        var position: JournalPosition
        var payload: [UInt8]
    }

    private static func replayed(
        _ settings: FileJournal.Settings, after position: JournalPosition
    ) throws(StoreError) -> (journal: FileJournal, groups: [Group]) {
        let journal = try FileJournal.open(settings)
        var groups: [Group] = []
        try journal.replay(after: position) { (position, payload) throws(StoreError) in
            let expected = (groups.last?.position ?? position)
            require(groups.isEmpty || position == expected.next, "a group was left out")
            groups.append(Group(position: position, payload: payload))
        }
        return (journal, groups)
    }
}

extension FuzzTarget {
    /// Any bytes as a segment; with the first byte's lowest bits, with checksums made right.
    static let journalBytes = FuzzTarget("journal-bytes", byteCountMaximum: 24 << 10) {
        [0, 1, 3].map { flags in [flags] + JournalSeeds.segment(groups: 2) }
    } run: { input in
        var reader = ByteReader(input)
        let flags = reader.byte()
        var bytes = reader.remaining()
        let blocks = max(2, (bytes.count + 4_095) / 4_096)
        bytes += [UInt8](repeating: 0, count: blocks * 4_096 - bytes.count)
        if flags & 2 != 0 {
            bytes.replaceSubrange(16..<24, with: littleEndian(UInt64(bytes.count)))
        }
        if flags & 1 != 0 { JournalSeeds.repair(&bytes) }
        do {
            try JournalFiles.check([bytes], after: JournalPosition(UInt64(flags >> 2)))
        } catch { violation("\(error)") }
    }

    /// Up to three segments of well-formed headers and frames with fields of any value.
    static let journalFrames = FuzzTarget("journal-frames", byteCountMaximum: 1 << 10) {
        JournalSeeds.descriptions
    } run: { input in
        var reader = ByteReader(input)
        let position = JournalPosition(UInt64(reader.number(below: 8)))
        let segments = (0...reader.number(below: 3)).map { _ in JournalSeeds.segment(&reader) }
        do {
            try JournalFiles.check(segments, after: position)
        } catch { violation("\(error)") }
    }

    /// Any bytes as a group's payload. What decodes is encoded to the same bytes again.
    static let journalRecords = FuzzTarget("journal-records", byteCountMaximum: 2 << 10) {
        [JournalSeeds.payload(1), JournalSeeds.payload(5)]
    } run: { payload in
        guard
            let records = try? JournalRecord.decode(payload, at: JournalPosition(1))
        else { return }
        var again: [UInt8] = []
        for record in records {
            switch record {
            case .append(let key, let header, let offset):
                JournalRecord.beginAppend(key, to: &again)
                MessageSeeds.encodeAgain(payload, header, offset, to: &again)
            case .acknowledge(let key, let through):
                JournalRecord.encodeAcknowledge(key, through: through, to: &again)
            }
        }
        require(again == payload, "a payload is encoded in another way")
    }
}

/// An integer's bytes, lowest first.
func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
}
