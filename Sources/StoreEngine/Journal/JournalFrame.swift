internal import Mailbox

/// One group of records on disk. See docs/FORMAT.md.
///
/// ```
///  0      4         8          16           24               32       36     40
///  +------+---------+----------+------------+----------------+--------+------+---------+------
///  | MBXF | payload | position | generation | synced through | records| CRC  | payload | zeros
///  +------+---------+----------+------------+----------------+--------+------+---------+------
/// ```
/// Little-endian. A frame begins at a multiple of 4 096 and is padded to the next, so that no write
/// ever touches a block that holds an acknowledged group. The CRC-32C covers the store's secret
/// identity, the header in front of it and the payload: no message body can be crafted to look like
/// a frame.
struct JournalFrame {
    static let magic: UInt32 = 0x4658_424D  // "MBXF"
    static let headerByteCount = 40
    static let blockByteCount = 4_096

    let position: JournalPosition
    let generation: UInt64
    /// Every group through it was synced before this one was written. What tells a torn end
    /// (legitimate) from damage in the middle: a bad frame that a good newer one says was synced is
    /// damage.
    let syncedThrough: JournalPosition
    let recordCount: Int
    let payloadByteCount: Int

    /// The frame's length on disk.
    var byteCount: Int { Self.byteCount(payload: payloadByteCount) }

    static func byteCount(payload: Int) -> Int {
        (headerByteCount + payload + blockByteCount - 1) / blockByteCount * blockByteCount
    }

    private static let zeros = [UInt8](repeating: 0, count: blockByteCount)

    /// The pieces to write: header, payload, padding.
    func pieces(payload: [UInt8], seed: UInt32) -> [[UInt8]] {
        assert(payload.count == payloadByteCount)
        var header: [UInt8] = []
        header.reserveCapacity(Self.headerByteCount)
        header.appendLittleEndian(Self.magic)
        header.appendLittleEndian(UInt32(payloadByteCount))
        header.appendLittleEndian(position.rawValue)
        header.appendLittleEndian(generation)
        header.appendLittleEndian(syncedThrough.rawValue)
        header.appendLittleEndian(UInt32(recordCount))
        header.appendLittleEndian(
            checksum(payload.span, seed: checksum(header.span, seed: seed)))
        let padding = byteCount - Self.headerByteCount - payloadByteCount
        return [header, payload, [UInt8](Self.zeros[..<padding])]
    }

    /// Reads the frame at `offset`, or answers nil when the bytes there are none of this store's.
    static func parse(
        _ bytes: borrowing Span<UInt8>, at offset: Int, seed: UInt32
    ) -> JournalFrame? {
        guard bytes.count - offset >= headerByteCount,
            bytes.littleEndian(offset, as: UInt32.self) == magic
        else { return nil }
        let frame = JournalFrame(
            position: JournalPosition(bytes.littleEndian(offset + 8)),
            generation: bytes.littleEndian(offset + 16),
            syncedThrough: JournalPosition(bytes.littleEndian(offset + 24)),
            recordCount: Int(bytes.littleEndian(offset + 32, as: UInt32.self)),
            payloadByteCount: Int(bytes.littleEndian(offset + 4, as: UInt32.self)))
        let payloadStart = offset + headerByteCount
        guard frame.payloadByteCount <= bytes.count - payloadStart else { return nil }
        let header = bytes.extracting(offset..<offset + 36)
        let payload = bytes.extracting(payloadStart..<payloadStart + frame.payloadByteCount)
        let expected = checksum(payload, seed: checksum(header, seed: seed))
        guard bytes.littleEndian(offset + 36, as: UInt32.self) == expected else { return nil }
        return frame
    }
}
