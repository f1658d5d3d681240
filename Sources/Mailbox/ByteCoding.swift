// Fixed-width integers in byte buffers. Big-endian where order matters (keys), little-endian
// elsewhere. Each read is bounds-checked once, as a whole: the bytes may come from a damaged file.

extension Span where Element == UInt8 {
    /// The little-endian integer at `offset`. Precondition: it lies within the span.
    @inlinable
    @inline(__always)
    package func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ offset: Int, as type: Integer.Type = Integer.self
    ) -> Integer {
        precondition(offset >= 0 && offset &+ MemoryLayout<Integer>.size <= count)
        return unsafe withUnsafeBytes {
            Integer(
                littleEndian: unsafe $0.loadUnaligned(fromByteOffset: offset, as: Integer.self))
        }
    }

    /// The big-endian integer at `offset`. Precondition: it lies within the span.
    @inlinable
    @inline(__always)
    package func bigEndian<Integer: FixedWidthInteger & BitwiseCopyable>(
        _ offset: Int, as type: Integer.Type = Integer.self
    ) -> Integer {
        precondition(offset >= 0 && offset &+ MemoryLayout<Integer>.size <= count)
        return unsafe withUnsafeBytes {
            Integer(bigEndian: unsafe $0.loadUnaligned(fromByteOffset: offset, as: Integer.self))
        }
    }
}

extension [UInt8] {
    /// Appends the integer, lowest byte first.
    @inlinable
    @inline(__always)
    package mutating func appendLittleEndian<Integer: FixedWidthInteger>(_ value: Integer) {
        unsafe Swift.withUnsafeBytes(of: value.littleEndian) { unsafe append(contentsOf: $0) }
    }

    /// Appends two words, each lowest byte first, with one look at the buffer.
    @inlinable
    @inline(__always)
    package mutating func appendLittleEndian(_ first: UInt64, _ second: UInt64) {
        let words = (first.littleEndian, second.littleEndian)
        unsafe Swift.withUnsafeBytes(of: words) { unsafe append(contentsOf: $0) }
    }

    /// Appends the integer, highest byte first.
    @inlinable
    @inline(__always)
    package mutating func appendBigEndian<Integer: FixedWidthInteger>(_ value: Integer) {
        unsafe Swift.withUnsafeBytes(of: value.bigEndian) { unsafe append(contentsOf: $0) }
    }

    /// Appends the bytes of a span.
    @inlinable
    @inline(__always)
    package mutating func append(copying bytes: borrowing Span<UInt8>) {
        unsafe bytes.withUnsafeBytes { unsafe append(contentsOf: $0) }
    }

    /// Overwrites the four bytes at `offset`. Precondition: they exist.
    @inlinable
    @inline(__always)
    package mutating func overwriteLittleEndian(_ value: UInt32, at offset: Int) {
        precondition(offset >= 0 && offset &+ 4 <= count)
        unsafe withUnsafeMutableBytes {
            unsafe $0.storeBytes(of: value.littleEndian, toByteOffset: offset, as: UInt32.self)
        }
    }
}
