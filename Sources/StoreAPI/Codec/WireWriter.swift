internal import Mailbox

/// Writes a protobuf message into memory of the right size, front to back.
///
/// The size is computed before, by functions that stand beside those that write. Each write checks
/// that it stays within the memory: a size that is wrong ends the process, and writes nowhere else.
struct WireWriter {
    private let memory: UnsafeMutableRawBufferPointer
    private(set) var position = 0

    /// - Parameter memory: stays valid for as long as the writer is used.
    init(_ memory: UnsafeMutableRawBufferPointer) { self.memory = memory }

    /// True when the memory is full.
    var isAtEnd: Bool { position == memory.count }

    @inline(__always)
    mutating func byte(_ value: UInt8) {
        precondition(position < memory.count)
        memory[position] = value
        position &+= 1
    }

    @inline(__always)
    mutating func varint(_ value: UInt64) {
        var rest = value
        while rest >= 0x80 {
            byte(UInt8(truncatingIfNeeded: rest) | 0x80)
            rest &>>= 7
        }
        byte(UInt8(truncatingIfNeeded: rest))
    }

    /// An integer of fixed width, lowest byte first.
    @inline(__always)
    mutating func littleEndian<Integer: FixedWidthInteger & BitwiseCopyable>(_ value: Integer) {
        precondition(memory.count &- position >= MemoryLayout<Integer>.size)
        memory.storeBytes(of: value.littleEndian, toByteOffset: position, as: Integer.self)
        position &+= MemoryLayout<Integer>.size
    }

    /// A field's tag; its number is below 16.
    @inline(__always)
    mutating func tag(_ number: UInt8, _ kind: WireTag.Kind) { byte(number &<< 3 | kind.rawValue) }

    /// An integer; 0 is left out.
    @inline(__always)
    mutating func field(_ number: UInt8, varint value: UInt64) {
        guard value != 0 else { return }
        tag(number, .varint)
        varint(value)
    }

    /// A fixed integer; 0 is left out.
    mutating func field(_ number: UInt8, fixed64 value: UInt64) {
        guard value != 0 else { return }
        tag(number, .fixed64)
        littleEndian(value)
    }

    /// The tag and the length of bytes that follow.
    @inline(__always)
    mutating func header(_ number: UInt8, count: Int) {
        tag(number, .bytes)
        varint(UInt64(count))
    }

    /// Copies bytes.
    @inline(__always)
    mutating func copy(_ bytes: UnsafeRawBufferPointer) {
        let count = bytes.count
        guard count > 0, let source = bytes.baseAddress, let target = memory.baseAddress else {
            return
        }
        precondition(memory.count &- position >= count)
        (target + position).copyMemory(from: source, byteCount: count)
        position &+= count
    }

    /// A name, with its tag and length.
    @inline(__always)
    mutating func field(_ number: UInt8, name: InlineName) {
        header(number, count: Int(name.count))
        precondition(memory.count &- position >= Int(name.count))
        name.copy(to: UnsafeMutableRawBufferPointer(rebasing: memory[position...]))
        position &+= Int(name.count)
    }

    /// Bytes, with their tag and length; none are left out.
    mutating func field(_ number: UInt8, bytes: ArraySlice<UInt8>) {
        guard !bytes.isEmpty else { return }
        header(number, count: bytes.count)
        bytes.withUnsafeBytes { copy($0) }
    }

    /// Copies bytes that are encoded already.
    mutating func copy(_ bytes: [UInt8]) {
        bytes.withUnsafeBytes { copy($0) }
    }
}

/// The sizes of what `WireWriter` writes.
enum WireSize {
    @inline(__always)
    static func varint(_ value: UInt64) -> Int {
        (64 &- (value | 1).leadingZeroBitCount &+ 6) / 7
    }

    /// An integer's field; 0 is left out.
    @inline(__always)
    static func field(varint value: UInt64) -> Int { value == 0 ? 0 : 1 &+ varint(value) }

    /// A fixed integer's field; 0 is left out.
    @inline(__always)
    static func field(fixed64 value: UInt64) -> Int { value == 0 ? 0 : 9 }

    /// A field of so many bytes, its tag and length included.
    @inline(__always)
    static func field(count: Int) -> Int { 1 &+ varint(UInt64(count)) &+ count }

    /// A field of bytes; none are left out.
    @inline(__always)
    static func field(bytes count: Int) -> Int { count == 0 ? 0 : field(count: count) }

    @inline(__always)
    static func field(name: InlineName) -> Int { 2 &+ Int(name.count) }

    @inline(__always)
    static func producer(_ producer: Producer) -> Int {
        field(name: producer.device.name) &+ field(varint: UInt64(producer.clientSequence))
    }
}

extension WireWriter {
    /// A producer, with its tag and length.
    @inline(__always)
    mutating func field(_ number: UInt8, producer: Producer) {
        header(number, count: WireSize.producer(producer))
        field(1, name: producer.device.name)
        field(2, varint: UInt64(producer.clientSequence))
    }
}
