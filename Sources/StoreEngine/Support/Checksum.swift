internal import CChecksum
internal import Mailbox

/// CRC-32C of the bytes, continuing from `seed`.
@inline(__always)
func checksum(_ bytes: borrowing Span<UInt8>, seed: UInt32 = 0) -> UInt32 {
    unsafe bytes.withUnsafeBytes { unsafe mailbox_crc32c(seed, $0.baseAddress, $0.count) }
}

/// CRC-32C of a slice.
@inline(__always)
func checksum(_ bytes: ArraySlice<UInt8>, seed: UInt32 = 0) -> UInt32 {
    unsafe bytes.withUnsafeBytes { unsafe mailbox_crc32c(seed, $0.baseAddress, $0.count) }
}

/// CRC-32C of an integer's eight bytes, lowest first: mixes an identity into a seed.
func checksum(_ value: UInt64, seed: UInt32 = 0) -> UInt32 {
    var bytes: [UInt8] = []
    bytes.appendLittleEndian(value)
    return checksum(bytes.span, seed: seed)
}

/// Asks for memory that is about to be read; see `mailbox_prefetch`.
@inline(__always)
func prefetch(_ bytes: borrowing Span<UInt8>) {
    unsafe bytes.withUnsafeBytes { unsafe mailbox_prefetch($0.baseAddress, $0.count) }
}

/// Asks for the memory of the records that a walk through a tree comes to, each while the one
/// before it is looked at: reading it is then not another wait.
///
/// LMDB fills a leaf from its end, so the record behind one mostly lies in front of it.
struct ReadAhead {
    /// The addresses that were asked for.
    private var asked: Range<UInt> = 0..<0

    /// The walk came to a record.
    @inline(__always)
    mutating func arrive(at key: borrowing Span<UInt8>, _ value: borrowing Span<UInt8>) {
        unsafe value.withUnsafeBytes { value in
            if !asked.contains(UInt(bitPattern: value.baseAddress)) {
                unsafe mailbox_prefetch(value.baseAddress, value.count)
            }
        }
        unsafe key.withUnsafeBytes { key in
            guard let start = key.baseAddress else { return }
            // Not beyond the page: what lies there is another one's.
            let count = min(RunRecord.targetByteCount, Int(bitPattern: start) & 4_095)
            unsafe mailbox_prefetch(start - count, count)
            asked = unsafe UInt(bitPattern: start - count)..<UInt(bitPattern: start)
        }
    }
}
