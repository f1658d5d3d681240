/// A message's number in its mailbox, 1 … 4 294 967 295, contiguous, in commit order. 0 says "none
/// yet".
///
/// Never reused, never skipped, never wrapped.
public typealias SequenceNumber = UInt32

/// The identity of a store's history: minted when a store is created, and again when one is
/// restored.
///
/// A cursor of one epoch says nothing in another: a restored store may give a number out twice.
public struct Epoch: Hashable, Sendable, RawRepresentable, CustomStringConvertible {
    /// Never 0.
    public let rawValue: UInt64

    /// - Returns: nil for 0, which stands for "no epoch" in files and on wires.
    public init?(rawValue: UInt64) {
        guard rawValue != 0 else { return nil }
        self.rawValue = rawValue
    }

    /// A new epoch, drawn at random.
    public static func mint() -> Epoch {
        var generator = SystemRandomNumberGenerator()
        return Epoch(rawValue: UInt64.random(in: 1...UInt64.max, using: &generator))!
    }

    /// Sixteen hexadecimal digits.
    public var description: String {
        let digits = String(rawValue, radix: 16)
        return String(repeating: "0", count: 16 - digits.count) + digits
    }

    /// - Parameter text: hexadecimal digits, as `description` prints them.
    /// - Throws: `invalidArgument` when it is no hexadecimal number from 1.
    public init(_ text: String) throws(StoreError) {
        guard let value = UInt64(text, radix: 16), let epoch = Epoch(rawValue: value) else {
            throw .invalidArgument("an epoch is 1 to 16 hexadecimal digits, not all zero")
        }
        self = epoch
    }
}

/// What a receiver says that it holds: everything through a sequence, of one epoch.
public struct Cursor: Hashable, Sendable {
    /// Everything through this is held; 0 when nothing is.
    public var sequence: SequenceNumber
    /// The epoch that the sequence belongs to. Only cursor 0 may come without one.
    public var epoch: Epoch?

    /// A cursor of a known epoch.
    public init(_ sequence: SequenceNumber, epoch: Epoch?) {
        self.sequence = sequence
        self.epoch = epoch
    }

    /// "I hold nothing": the cursor of a receiver that never asked before.
    public static let zero = Cursor(0, epoch: nil)

    /// Checks the cursor's epoch against the store's.
    ///
    /// - Throws: `epochChanged(current)` when they differ, or when a cursor above 0 has none.
    package func check(against current: Epoch) throws(StoreError) {
        if let epoch {
            guard epoch == current else { throw .epochChanged(current: current) }
        } else if sequence != 0 {
            throw .epochChanged(current: current)
        }
    }
}
