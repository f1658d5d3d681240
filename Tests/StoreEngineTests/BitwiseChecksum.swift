/// CRC-32C bit by bit, for tests that make a damaged record look sound.
func bitwiseChecksum(_ bytes: [UInt8]) -> UInt32 {
    ~bytes.reduce(~UInt32(0)) { crc, byte in
        (0..<8).reduce(crc ^ UInt32(byte)) { value, _ in
            value >> 1 ^ (value & 1 == 0 ? 0 : 0x82F6_3B78)
        }
    }
}

/// The bytes of an integer, lowest first.
func littleEndian<Value: FixedWidthInteger>(_ value: Value) -> [UInt8] {
    (0..<(Value.bitWidth / 8)).map { UInt8(truncatingIfNeeded: value >> Value(8 * $0)) }
}
