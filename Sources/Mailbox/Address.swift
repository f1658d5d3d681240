/// Who sends or receives: 1 to 64 bytes of UTF-8 without control characters, compared as bytes.
///
/// Two addresses that look alike but differ in their bytes (composed and decomposed accents, upper
/// and lower case) are two addresses. Ordered by length first, then by bytes: the order of keys on
/// disk and of listings.
public struct Address: Hashable, Sendable, BitwiseCopyable {
    package let name: InlineName

    /// - Parameter text: the address, 1 to 64 bytes of UTF-8.
    /// - Throws: `invalidArgument` when it is empty, too long, or has a control character.
    public init(_ text: String) throws(StoreError) {
        name = try InlineName(validating: text, what: "address")
    }

    /// - Parameter bytes: the address as bytes that came over a wire, 1 to 64.
    /// - Throws: `invalidArgument` when they are empty, too many, not UTF-8, or have a control
    ///   character.
    public init(utf8 bytes: borrowing Span<UInt8>) throws(StoreError) {
        name = try InlineName(validating: bytes, what: "address")
    }

    /// Takes bytes that were an address before: read from the store, behind a checksum.
    package init?(trusted bytes: borrowing Span<UInt8>) {
        guard let name = InlineName(trusted: bytes) else { return nil }
        self.name = name
    }

    /// The number of bytes, 1 … 64.
    public var utf8Count: Int { Int(name.count) }

    /// The address's bytes.
    public var utf8: [UInt8] {
        unsafe name.withUnsafeBytes { unsafe Array($0) }
    }
}

extension Address: Comparable {
    /// Shorter first, then by bytes.
    public static func < (a: Address, b: Address) -> Bool { a.name < b.name }
}

extension Address: CustomStringConvertible {
    /// The address as text.
    public var description: String { name.text }
}

/// The ordered pair (sender, receiver): A to B and B to A are two mailboxes.
///
/// Ordered by receiver, then by sender: one receiver's inbox is one stretch.
public struct MailboxID: Hashable, Sendable, BitwiseCopyable {
    /// Who sends.
    public let sender: Address
    /// Who receives.
    public let receiver: Address

    /// The mailbox for messages from `sender` to `receiver`.
    public init(sender: Address, receiver: Address) {
        self.sender = sender
        self.receiver = receiver
    }

    /// - Throws: `invalidArgument` when either address is not one.
    public init(sender: String, receiver: String) throws(StoreError) {
        self.init(sender: try Address(sender), receiver: try Address(receiver))
    }

    package func mixedHash(seed: UInt64) -> UInt64 {
        sender.name.mixedHash(seed: receiver.name.mixedHash(seed: seed))
    }
}

extension MailboxID: Comparable {
    /// By receiver, then by sender.
    public static func < (a: MailboxID, b: MailboxID) -> Bool {
        a.receiver == b.receiver ? a.sender < b.sender : a.receiver < b.receiver
    }
}

extension MailboxID: CustomStringConvertible {
    /// `sender → receiver`.
    public var description: String { "\(sender) → \(receiver)" }
}
