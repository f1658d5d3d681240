internal import Mailbox

/// A field's number and how its value is written.
struct WireTag: Equatable {
    let number: Int
    let kind: Kind

    /// The ways in which protobuf writes values.
    enum Kind: UInt8 {
        case varint = 0
        case fixed64 = 1
        case bytes = 2
        case groupStart = 3
        case groupEnd = 4
        case fixed32 = 5
    }

    init(_ number: Int, _ kind: Kind) {
        self.number = number
        self.kind = kind
    }
}

/// A place within the bytes of a protobuf message, which are handed to every call: reads forward,
/// believes nothing, and never reads behind `end`.
///
/// What a message of the contract may hold beyond what is known is skipped: unknown fields, known
/// fields written in another way, groups. Of a scalar that comes twice the last counts. A
/// submessage that comes in pieces is merged, as proto3 says.
struct WireReader {
    private(set) var position: Int
    let end: Int

    init(_ range: Range<Int>) {
        position = range.lowerBound
        end = range.upperBound
    }

    /// True behind the last field.
    @inline(__always)
    var isAtEnd: Bool { position == end }

    private func malformed() -> StoreError {
        .invalidArgument("the message is malformed at byte \(position)")
    }

    /// The next variable-length integer.
    @inline(__always)
    mutating func varint(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> UInt64 {
        if position < end {
            let byte = bytes[position]
            if byte < 0x80 {
                position &+= 1
                return UInt64(byte)
            }
        }
        return try longVarint(bytes)
    }

    private mutating func longVarint(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> UInt64 {
        var value: UInt64 = 0
        var shift: UInt64 = 0
        while position < end, shift < 64 {
            let byte = bytes[position]
            position &+= 1
            value |= UInt64(byte & 0x7F) &<< shift
            if byte < 0x80 { return value }
            shift &+= 7
        }
        throw malformed()
    }

    /// The next field's tag.
    @inline(__always)
    mutating func tag(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> WireTag {
        let value = try varint(bytes)
        guard value >= 8, value <= UInt64(UInt32.max),
            let kind = WireTag.Kind(rawValue: UInt8(value & 7))
        else { throw malformed() }
        return WireTag(Int(value >> 3), kind)
    }

    /// The place of a value with a length in front.
    @inline(__always)
    mutating func range(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> Range<Int> {
        let count = try varint(bytes)
        guard count <= UInt64(end &- position) else { throw malformed() }
        let start = position
        position = start &+ Int(count)
        return start..<position
    }

    /// A reader of a submessage.
    @inline(__always)
    mutating func message(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> WireReader {
        WireReader(try range(bytes))
    }

    /// The next eight bytes as an integer.
    mutating func fixed64(_ bytes: borrowing Span<UInt8>) throws(StoreError) -> UInt64 {
        guard end &- position >= 8 else { throw malformed() }
        defer { position &+= 8 }
        return bytes.littleEndian(position)
    }

    /// Passes over the value of a field that is of no interest.
    mutating func skip(_ tag: WireTag, _ bytes: borrowing Span<UInt8>) throws(StoreError) {
        var open: [Int] = []
        var tag = tag
        while true {
            switch tag.kind {
            case .varint: _ = try varint(bytes)
            case .fixed64: try advance(8)
            case .bytes: _ = try range(bytes)
            case .fixed32: try advance(4)
            case .groupStart:
                guard open.count < 100 else { throw malformed() }
                open.append(tag.number)
            case .groupEnd:
                guard open.popLast() == tag.number else { throw malformed() }
            }
            if open.isEmpty { return }
            tag = try self.tag(bytes)
        }
    }

    private mutating func advance(_ count: Int) throws(StoreError) {
        guard end - position >= count else { throw malformed() }
        position += count
    }
}
