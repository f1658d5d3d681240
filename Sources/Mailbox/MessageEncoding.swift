/// The one form of a message: in the journal, in memory and in the data file. See docs/FORMAT.md.
///
/// ```
///  0         4           8                        16                 20
///  +---------+-----------+------------------------+------------------+----------------+------
///  | sequence| body bytes| timestamp:48 device:8 0:8 | client sequence | device … | body …
///  +---------+-----------+------------------------+------------------+----------------+------
/// ```
/// All little-endian. The client sequence and the device are there only when the device's length is
/// not 0.
@usableFromInline
package enum MessageEncoding {
    /// Bytes in front of a message without a producer.
    @inlinable
    package static var headerByteCount: Int { 16 }
    /// The largest timestamp that fits: the year 10889.
    package static let maximumTimestamp: Int64 = (1 << 48) - 1
    /// Bytes that a message can need beyond its body.
    package static let maximumOverhead = headerByteCount + 4 + InlineName.maximumCount

    /// The fixed part of an encoded message, decoded.
    @usableFromInline
    package struct Header: BitwiseCopyable {
        @usableFromInline package let sequence: SequenceNumber
        @usableFromInline package let bodyByteCount: Int
        @usableFromInline package let timestampMilliseconds: Int64
        @usableFromInline package let deviceByteCount: Int

        @inlinable
        init(
            sequence: SequenceNumber, bodyByteCount: Int, timestampMilliseconds: Int64,
            deviceByteCount: Int
        ) {
            self.sequence = sequence
            self.bodyByteCount = bodyByteCount
            self.timestampMilliseconds = timestampMilliseconds
            self.deviceByteCount = deviceByteCount
        }

        /// Where the body begins, counted from the message's first byte.
        @inlinable
        @inline(__always)
        package var bodyOffset: Int {
            deviceByteCount == 0
                ? MessageEncoding.headerByteCount
                : MessageEncoding.headerByteCount + 4 + deviceByteCount
        }

        /// The whole message's length.
        @inlinable
        @inline(__always)
        package var byteCount: Int { bodyOffset + bodyByteCount }
    }

    /// The header at `offset`, or nil when the bytes there cannot be a whole message.
    @inlinable
    @inline(__always)
    package static func header(in bytes: borrowing Span<UInt8>, at offset: Int) -> Header? {
        guard offset >= 0, bytes.count - offset >= headerByteCount else { return nil }
        // Within the span: it was just compared with the length.
        let (front, stamp) = unsafe bytes.withUnsafeBytes { bytes in
            unsafe (
                UInt64(littleEndian: bytes.loadUnaligned(fromByteOffset: offset, as: UInt64.self)),
                UInt64(
                    littleEndian: bytes.loadUnaligned(fromByteOffset: offset + 8, as: UInt64.self))
            )
        }
        let header = Header(
            sequence: UInt32(truncatingIfNeeded: front),
            bodyByteCount: Int(front >> 32),
            timestampMilliseconds: Int64(stamp >> 16),
            deviceByteCount: Int((stamp >> 8) & 0xFF))
        guard header.deviceByteCount <= 64, stamp & 0xFF == 0,
            header.byteCount <= bytes.count - offset
        else { return nil }
        return header
    }

    /// The producer of the message at `offset`. Precondition: `header` was read there.
    @inlinable
    @inline(__always)
    package static func producer(
        in bytes: borrowing Span<UInt8>, at offset: Int, header: Header
    ) -> Producer? {
        header.deviceByteCount == 0 ? nil : namedProducer(in: bytes, at: offset, header: header)
    }

    @usableFromInline
    static func namedProducer(
        in bytes: borrowing Span<UInt8>, at offset: Int, header: Header
    ) -> Producer? {
        let start = offset + headerByteCount + 4
        guard
            let device = DeviceID(
                trusted: bytes.extracting(start..<start + header.deviceByteCount))
        else { return nil }
        return Producer(
            device: device,
            clientSequence: bytes.littleEndian(offset + headerByteCount, as: UInt32.self))
    }

    /// The number of bytes that `encode` appends.
    @inline(__always)
    package static func byteCount(producer: Producer?, bodyByteCount: Int) -> Int {
        headerByteCount + (producer.map { 4 + Int($0.device.name.count) } ?? 0) + bodyByteCount
    }

    /// Appends the encoded message.
    @inline(__always)
    package static func encode(
        sequence: SequenceNumber, timestampMilliseconds: Int64, producer: Producer?,
        body: ArraySlice<UInt8>, to bytes: inout [UInt8]
    ) {
        assert(timestampMilliseconds >= 0 && timestampMilliseconds <= maximumTimestamp)
        let deviceByteCount = UInt64(producer?.device.name.count ?? 0)
        bytes.appendLittleEndian(
            UInt64(sequence) | UInt64(UInt32(body.count)) << 32,
            UInt64(timestampMilliseconds) << 16 | deviceByteCount << 8)
        if let producer {
            bytes.appendLittleEndian(producer.clientSequence)
            unsafe producer.device.name.withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
        }
        bytes.append(contentsOf: body)
    }
}
