internal import Glibc
internal import Mailbox

/// One preallocated, zero-filled file of the journal, used again and again under rising
/// generations.
///
/// ```
///  block 0: header  | block 1 …: frames, each padded to blocks
///  0          8         12       16              24           32                40         48
///  +----------+---------+--------+---------------+------------+-----------------+----------+-----+
///  | MBXJRNL0 | version | shard  | segment bytes | generation | first position  | reserved | CRC |
///  +----------+---------+--------+---------------+------------+-----------------+----------+-----+
/// ```
struct JournalSegment {
    static let magic: UInt64 = 0x304C_4E52_4A58_424D  // "MBXJRNL0"
    static let version: UInt32 = 1
    static let headerByteCount = 52
    /// No generation is as high: a million of them a second would take 292 000 years.
    static let generationMaximum: UInt64 = 1 << 63

    /// What a segment's first block says.
    struct Header: Equatable {
        var shard: UInt32
        var segmentByteCount: Int
        var generation: UInt64
        var firstPosition: JournalPosition
    }

    let file: File
    let byteCount: Int
    /// nil when the segment was never used, or its header is damaged.
    var header: Header?
    /// The last group that a replay found; nil when this process wrote the segment. The data file
    /// may have groups behind it that no segment has, where a disk lost the end of a segment behind
    /// a checkpoint: nothing is missing then.
    var lastPosition: JournalPosition?

    /// The block that begins a generation.
    static func headerBlock(_ header: Header, seed: UInt32) -> [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(JournalFrame.blockByteCount)
        bytes.appendLittleEndian(magic)
        bytes.appendLittleEndian(version)
        bytes.appendLittleEndian(header.shard)
        bytes.appendLittleEndian(UInt64(header.segmentByteCount))
        bytes.appendLittleEndian(header.generation)
        bytes.appendLittleEndian(header.firstPosition.rawValue)
        bytes.appendLittleEndian(UInt64(0))
        bytes.appendLittleEndian(checksum(bytes.span, seed: seed))
        bytes.append(
            contentsOf: repeatElement(0, count: JournalFrame.blockByteCount - bytes.count))
        return bytes
    }

    /// Reads a header block.
    ///
    /// - Returns: nil when the block is zero or damaged.
    /// - Throws: `corrupted` when it is of a newer format, or says what no program wrote.
    static func parseHeader(_ bytes: [UInt8], seed: UInt32, path: String) throws(StoreError)
        -> Header?
    {
        let span = bytes.span
        guard span.count >= headerByteCount,
            span.littleEndian(0, as: UInt64.self) == magic,
            span.littleEndian(48, as: UInt32.self)
                == checksum(span.extracting(0..<48), seed: seed)
        else { return nil }
        let version = span.littleEndian(8, as: UInt32.self)
        guard version == Self.version else {
            throw .corrupted(
                "\(path) has journal format \(version); this program reads \(Self.version): "
                    + "use the program that wrote it, or a newer one")
        }
        let generation = span.littleEndian(24, as: UInt64.self)
        let firstPosition = JournalPosition(span.littleEndian(32))
        // What is counted up from here must not leave its range.
        guard let segmentByteCount = Int(exactly: span.littleEndian(16, as: UInt64.self)),
            firstPosition > .zero, firstPosition < .maximum, generation < generationMaximum
        else {
            throw .corrupted(
                "the header of \(path) says numbers that no program wrote; restore the file or the "
                    + "store from a backup")
        }
        return Header(
            shard: span.littleEndian(12), segmentByteCount: segmentByteCount,
            generation: generation, firstPosition: firstPosition)
    }

    /// Makes a new zero-filled file, durable under its name.
    static func create(
        _ path: String, byteCount: Int, directory: String
    ) throws(StoreError) -> JournalSegment {
        let file = try File(path, flags: O_RDWR | O_CREAT | O_EXCL)
        do throws(StoreError) {
            let chunk = [UInt8](repeating: 0, count: min(byteCount, 1 << 20))
            var offset = 0
            while offset < byteCount {
                let count = min(chunk.count, byteCount - offset)
                try file.write(
                    [count == chunk.count ? chunk : [UInt8](chunk[..<count])], at: offset)
                offset += count
            }
            try file.syncAll()
            try Directory.sync(directory)
            return JournalSegment(file: file, byteCount: byteCount, header: nil)
        } catch {
            // A half-made segment must not be taken for one at the next open.
            unsafe unlink(path)
            throw error
        }
    }
}
