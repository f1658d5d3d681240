internal import CChecksum
internal import Mailbox

/// A durable group's payload, without a reference that keeps it.
// Nobody changes a durable group's bytes: Sendable.
@safe
struct LentGroup: @unchecked Sendable {
    fileprivate let bytes: UnsafeRawBufferPointer

    /// Precondition: the payload is not empty. An array that nobody changes stays where it is for
    /// as long as somebody holds it.
    init(_ payload: [UInt8]) {
        precondition(!payload.isEmpty)
        unsafe bytes = payload.withUnsafeBytes { unsafe $0 }
    }

    /// Asks for the line of memory at an offset.
    @inline(__always)
    func prefetch(at offset: Int) {
        guard let first = unsafe bytes.baseAddress else { return }
        unsafe mailbox_prefetch(first + offset, 1)
    }
}

/// A durable message of a tail, where its group's payload has it, without a reference that keeps
/// the payload.
///
/// Good until the table lets go of the group. Only the checkpoint thread makes it do so, behind a
/// checkpoint's last step; so what it takes for a step stays. Two atomic counts a message, on lines
/// that are mostly cold, cost it more than the writing.
@safe
struct LentMessage {
    let header: MessageEncoding.Header
    private let start: UnsafeRawPointer

    @inline(__always)
    init(_ group: LentGroup, offset: Int) {
        guard let first = unsafe group.bytes.baseAddress,
            let header = unsafe MessageEncoding.header(
                in: Span(_unsafeBytes: group.bytes), at: offset)
        else { preconditionFailure("a tail points at bytes that are no message") }
        self.header = header
        unsafe start = first + offset
    }

    /// The encoded message.
    var bytes: Span<UInt8> {
        @inline(__always)
        @_lifetime(borrow self)
        borrowing get {
            let bytes = unsafe UnsafeRawBufferPointer(start: start, count: header.byteCount)
            return unsafe _overrideLifetime(Span(_unsafeBytes: bytes), borrowing: self)
        }
    }
}
