/// The identity of one sending device: 1 to 64 bytes of UTF-8 without control characters, compared
/// as bytes.
///
/// A device that loses its memory of what it numbered (restored from a copy, reinstalled) takes a
/// new identity.
public struct DeviceID: Hashable, Sendable, BitwiseCopyable, Comparable, CustomStringConvertible {
    package let name: InlineName

    /// - Throws: `invalidArgument` when it is empty, too long, or has a control character.
    public init(_ text: String) throws(StoreError) {
        name = try InlineName(validating: text, what: "device")
    }

    /// - Throws: `invalidArgument` when the bytes are empty, too many, not UTF-8, or have a control
    ///   character.
    public init(utf8 bytes: borrowing Span<UInt8>) throws(StoreError) {
        name = try InlineName(validating: bytes, what: "device")
    }

    /// Takes bytes that were a device before: read from the store, behind a checksum.
    package init?(trusted bytes: borrowing Span<UInt8>) {
        guard let name = InlineName(trusted: bytes) else { return nil }
        self.name = name
    }

    /// The device's bytes.
    public var utf8: [UInt8] {
        unsafe name.withUnsafeBytes { unsafe Array($0) }
    }

    /// Shorter first, then by bytes.
    public static func < (a: DeviceID, b: DeviceID) -> Bool { a.name < b.name }

    /// The device as text.
    public var description: String { name.text }
}

/// A message's number in the sending device's own count within a mailbox: 1, 2, 3 … without holes.
///
/// Every client sequence that is stored takes a sequence of the mailbox, so it has the same range.
public typealias ClientSequence = UInt32

/// How a sending device numbers its own messages in a mailbox; what makes a resend harmless.
public struct Producer: Hashable, Sendable, BitwiseCopyable {
    /// The sending device.
    public var device: DeviceID
    /// The device's number for this message in this mailbox, 1 … 4 294 967 295.
    public var clientSequence: ClientSequence

    /// A device and its number for a message.
    public init(device: DeviceID, clientSequence: ClientSequence) {
        self.device = device
        self.clientSequence = clientSequence
    }
}
