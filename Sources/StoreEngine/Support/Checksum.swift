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
