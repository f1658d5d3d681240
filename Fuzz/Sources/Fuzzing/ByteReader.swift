/// Takes an input apart from its front. Behind its end there are zeroes: every input means
/// something.
public struct ByteReader {
    private var rest: ArraySlice<UInt8>

    /// Begins with the input's first byte.
    public init(_ bytes: [UInt8]) { rest = bytes[...] }

    /// True when everything was taken.
    public var isAtEnd: Bool { rest.isEmpty }

    /// The next byte; 0 behind the end.
    public mutating func byte() -> UInt8 { rest.popFirst() ?? 0 }

    /// A number below `limit`, from one byte.
    public mutating func number(below limit: Int) -> Int { Int(byte()) % limit }

    /// The next bytes as an integer, lowest first.
    public mutating func integer<Value: FixedWidthInteger>(_ type: Value.Type = Value.self) -> Value
    {
        var value: Value = 0
        for place in 0..<(Value.bitWidth / 8) {
            value |= Value(truncatingIfNeeded: byte()) << Value(8 * place)
        }
        return value
    }

    /// Up to so many bytes: as many as are left.
    public mutating func bytes(_ count: Int) -> [UInt8] {
        let taken = Array(rest.prefix(count))
        rest = rest.dropFirst(count)
        return taken
    }

    /// Everything that is left.
    public mutating func remaining() -> [UInt8] { bytes(rest.count) }
}
