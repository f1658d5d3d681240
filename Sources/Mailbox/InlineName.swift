/// 1 to 64 bytes of UTF-8 held in place: what `Address` and `DeviceID` are made of.
///
/// Held inline, not in a `String`, because names are compared as bytes (a `String` compares by
/// canonical equivalence) and because a mailbox table of a million names must not own a million
/// heap objects.
///
/// Invariant: the bytes behind `count` are zero, so that equality is a comparison of eight words.
package struct InlineName: Hashable, Sendable, BitwiseCopyable {
    typealias Words = (UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64, UInt64)

    /// The name's bytes, first byte lowest in the first word (little-endian on every machine).
    private(set) var words: Words = (0, 0, 0, 0, 0, 0, 0, 0)
    /// The number of bytes, 1 … 64.
    private(set) package var count: UInt8 = 0

    package static let maximumCount = 64

    /// Takes bytes that the store itself wrote before and that a checksum covered: nothing but the
    /// length is checked.
    package init?(trusted bytes: borrowing Span<UInt8>) {
        guard bytes.count >= 1, bytes.count <= Self.maximumCount else { return nil }
        count = UInt8(truncatingIfNeeded: bytes.count)
        unsafe bytes.withUnsafeBytes { source in
            unsafe withUnsafeMutableBytes(of: &words) { unsafe $0.copyMemory(from: source) }
        }
    }

    /// Takes bytes from outside and checks them: length, UTF-8, no control characters (C0, DEL,
    /// C1).
    package init(validating bytes: borrowing Span<UInt8>, what: StaticString) throws(StoreError) {
        guard bytes.count > 0 else {
            throw .invalidArgument("the \(what) is empty; it must be 1 to 64 bytes of UTF-8")
        }
        guard bytes.count <= Self.maximumCount else {
            throw .invalidArgument(
                "the \(what) is \(bytes.count) bytes long; it must be 1 to 64 bytes of UTF-8")
        }
        self.init(trusted: bytes)!
        if isPrintableASCII { return }
        guard let text = self.validatedText else {
            throw .invalidArgument("the \(what) is not valid UTF-8")
        }
        for scalar in text.unicodeScalars
        where scalar.value < 0x20 || (0x7F...0x9F).contains(scalar.value) {
            throw .invalidArgument(
                "the \(what) has the control character "
                    + "U+\(String(scalar.value, radix: 16, uppercase: true)); "
                    + "control characters are not allowed")
        }
    }

    package init(validating text: String, what: StaticString) throws(StoreError) {
        let bytes = Array(text.utf8)
        try self.init(validating: bytes.span, what: what)
    }

    /// True for names that need no closer look; most are such.
    private var isPrintableASCII: Bool {
        unsafe withUnsafeBytes { bytes in
            var isOther = false
            for index in 0..<bytes.count {
                let byte = unsafe bytes[index]
                if byte &- 0x20 > 0x5E { isOther = true }
            }
            return !isOther
        }
    }

    private var validatedText: String? {
        unsafe withUnsafeBytes { unsafe String(validating: $0, as: UTF8.self) }
    }

    /// The name as text.
    package var text: String {
        unsafe withUnsafeBytes { unsafe String(decoding: $0, as: UTF8.self) }
    }

    /// Calls `body` with the name's bytes; the pointer is valid only during the call.
    @unsafe
    package func withUnsafeBytes<Result>(_ body: (UnsafeRawBufferPointer) -> Result) -> Result {
        unsafe Swift.withUnsafeBytes(of: words) { buffer in
            unsafe body(UnsafeRawBufferPointer(rebasing: buffer[..<Int(count)]))
        }
    }

    /// Copies the name's bytes to the memory's beginning. Precondition: it has room for them.
    @unsafe
    package func copy(to memory: UnsafeMutableRawBufferPointer) {
        precondition(memory.count >= Int(count))
        unsafe withUnsafeBytes { unsafe memory.copyMemory(from: $0) }
    }

    /// Appends the length byte and the bytes: the order-preserving form of keys on disk.
    package func appendWithLength(to bytes: inout [UInt8]) {
        bytes.append(count)
        unsafe withUnsafeBytes { unsafe bytes.append(contentsOf: $0) }
    }

    package static func == (a: Self, b: Self) -> Bool {
        a.count == b.count
            && a.words.0 == b.words.0 && a.words.1 == b.words.1
            && a.words.2 == b.words.2 && a.words.3 == b.words.3
            && a.words.4 == b.words.4 && a.words.5 == b.words.5
            && a.words.6 == b.words.6 && a.words.7 == b.words.7
    }

    package func hash(into hasher: inout Hasher) {
        hasher.combine(count)
        unsafe withUnsafeBytes { unsafe hasher.combine(bytes: $0) }
    }

    /// Order of keys on disk: shorter names first, then by bytes.
    package static func < (a: Self, b: Self) -> Bool {
        if a.count != b.count { return a.count < b.count }
        if a.words.0 != b.words.0 { return a.words.0.byteSwapped < b.words.0.byteSwapped }
        if a.words.1 != b.words.1 { return a.words.1.byteSwapped < b.words.1.byteSwapped }
        return unsafe a.withUnsafeBytes { left in
            unsafe b.withUnsafeBytes { right in
                for unsafe(x, y) in unsafe zip(left, right) where x != y { return x < y }
                return false
            }
        }
    }

    /// A well-mixed 64-bit hash of the bytes (multiply-and-fold over the words in use).
    ///
    /// - Parameter seed: makes collisions unpredictable from outside; random per store.
    package func mixedHash(seed: UInt64) -> UInt64 {
        var state = seed ^ (UInt64(count) &* 0x9E37_79B9_7F4A_7C15)
        state = Self.fold(state ^ words.0, 0xA076_1D64_78BD_642F ^ words.1)
        if count > 16 {
            state = Self.fold(state ^ words.2, 0xE703_7ED1_A0B4_28DB ^ words.3)
            if count > 32 {
                state = Self.fold(state ^ words.4, 0x8EBC_6AF0_9C88_C6E3 ^ words.5)
                state = Self.fold(state ^ words.6, 0x5899_65CC_7537_4CC3 ^ words.7)
            }
        }
        return state
    }

    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }
}
