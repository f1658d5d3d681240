internal import Mailbox

#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// Whether two answers hold the same messages.
///
/// As `==` on arrays of messages, which takes a fifth of a debug build's whole run: bodies are
/// compared by the C library.
func haveSameMessages(_ left: MessageBatch, _ right: MessageBatch) -> Bool {
    left.count == right.count
        && zip(left, right).allSatisfy { one, other in
            one.sequence == other.sequence
                && one.timestampMilliseconds == other.timestampMilliseconds
                && one.producer == other.producer && haveSameBytes(one.body, other.body)
        }
}

private func haveSameBytes(_ left: ArraySlice<UInt8>, _ right: ArraySlice<UInt8>) -> Bool {
    guard left.count == right.count else { return false }
    return left.withUnsafeBytes { one in
        right.withUnsafeBytes { other in
            guard let one = one.baseAddress, let two = other.baseAddress else { return true }
            return memcmp(one, two, other.count) == 0
        }
    }
}

extension MessageBatch {
    var sequences: [SequenceNumber] { map(\.sequence) }
}
