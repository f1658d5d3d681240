internal import Mailbox

/// A mailbox's key in the order of the data file: receiver's length, receiver, sender's length,
/// sender.
///
/// Short keys (up to 32 bytes, most of them) are held in four words in big-endian order, so that
/// sorting and comparing are integer operations and no key owns a heap object. The length bytes
/// make the form prefix-free: zero padding never changes the order of two different keys.
struct MailboxKey: Hashable, Sendable {
    let hash: UInt64
    let word0: UInt64
    let word1: UInt64
    let word2: UInt64
    let word3: UInt64
    /// The bytes behind the first 32.
    let rest: [UInt8]
    /// Of the receiver's part alone: chains one receiver's mailboxes.
    let receiverHash: UInt32
    /// 4 … 130.
    let count: UInt8

    static let inlineCount = 32
    static let maximumCount = 2 * (InlineName.maximumCount + 1)

    init(_ mailbox: MailboxID) {
        self = unsafe withUnsafeTemporaryAllocation(byteCount: 192, alignment: 8) { buffer in
            let receiver = mailbox.receiver.name
            let sender = mailbox.sender.name
            let count = 2 + Int(receiver.count) + Int(sender.count)
            unsafe buffer.baseAddress!.initializeMemory(as: UInt64.self, repeating: 0, count: 4)
            unsafe buffer[0] = receiver.count
            unsafe receiver.withUnsafeBytes {
                unsafe (buffer.baseAddress! + 1).copyMemory(
                    from: $0.baseAddress!, byteCount: $0.count)
            }
            unsafe buffer[1 + Int(receiver.count)] = sender.count
            unsafe sender.withUnsafeBytes {
                unsafe (buffer.baseAddress! + 2 + Int(receiver.count))
                    .copyMemory(from: $0.baseAddress!, byteCount: $0.count)
            }
            return unsafe MailboxKey(buffer: UnsafeRawBufferPointer(buffer), count: count)
        }
    }

    /// Takes a key's bytes as they stand in a record; nil when they cannot be a key.
    init?(bytes: borrowing Span<UInt8>) {
        let count = bytes.count
        guard count >= 4, count <= Self.maximumCount else { return nil }
        let receiverCount = Int(bytes[0])
        guard receiverCount >= 1, receiverCount <= InlineName.maximumCount,
            receiverCount + 3 <= count
        else { return nil }
        let senderCount = Int(bytes[1 + receiverCount])
        guard senderCount >= 1, senderCount <= InlineName.maximumCount,
            2 + receiverCount + senderCount == count
        else { return nil }
        self = unsafe withUnsafeTemporaryAllocation(byteCount: 192, alignment: 8) { buffer in
            unsafe buffer.baseAddress!.initializeMemory(as: UInt64.self, repeating: 0, count: 4)
            unsafe bytes.withUnsafeBytes { unsafe buffer.copyMemory(from: $0) }
            return unsafe MailboxKey(buffer: UnsafeRawBufferPointer(buffer), count: count)
        }
    }

    @unsafe
    private init(buffer: UnsafeRawBufferPointer, count: Int) {
        unsafe word0 = UInt64(bigEndian: buffer.load(fromByteOffset: 0, as: UInt64.self))
        unsafe word1 = UInt64(bigEndian: buffer.load(fromByteOffset: 8, as: UInt64.self))
        unsafe word2 = UInt64(bigEndian: buffer.load(fromByteOffset: 16, as: UInt64.self))
        unsafe word3 = UInt64(bigEndian: buffer.load(fromByteOffset: 24, as: UInt64.self))
        self.count = UInt8(count)
        let rest =
            count > Self.inlineCount ? unsafe [UInt8](buffer[Self.inlineCount..<count]) : []
        self.rest = rest
        let receiverCount = 1 + Int(word0 >> 56)
        receiverHash = unsafe checksum(
            Span(_unsafeBytes: UnsafeRawBufferPointer(rebasing: buffer[..<receiverCount])),
            seed: UInt32(truncatingIfNeeded: Self.seed))
        var state = Self.fold(word0 ^ Self.seed, word1 ^ 0xA076_1D64_78BD_642F)
        state = Self.fold(state ^ word2, word3 ^ 0xE703_7ED1_A0B4_28DB)
        if !rest.isEmpty {
            state = Self.fold(state ^ UInt64(checksum(rest.span)), 0x8EBC_6AF0_9C88_C6E3)
        }
        hash = state
    }

    /// Random per process: nobody outside can aim at one chain of the table.
    private static let seed = UInt64.random(in: .min ... .max)

    private static func fold(_ a: UInt64, _ b: UInt64) -> UInt64 {
        let product = a.multipliedFullWidth(by: b)
        return product.high ^ product.low
    }

    func hash(into hasher: inout Hasher) { hasher.combine(hash) }

    @inline(__always)
    static func == (a: MailboxKey, b: MailboxKey) -> Bool {
        a.word0 == b.word0 && a.word1 == b.word1 && a.word2 == b.word2 && a.word3 == b.word3
            && a.count == b.count && (a.count <= UInt8(inlineCount) || a.rest == b.rest)
    }

    /// Whether both are mailboxes of one receiver.
    func hasSameReceiver(as other: MailboxKey) -> Bool {
        guard receiverHash == other.receiverHash, word0 >> 56 == other.word0 >> 56 else {
            return false
        }
        let receiverCount = 1 + Int(word0 >> 56)
        if receiverCount <= 8 {
            return (word0 ^ other.word0) >> UInt64(64 - 8 * receiverCount) == 0
        }
        if receiverCount <= 16 {
            return word0 == other.word0
                && (word1 ^ other.word1) >> UInt64(128 - 8 * receiverCount) == 0
        }
        return receiver == other.receiver
    }

    /// A key that has the same receiver as all of the receiver's mailboxes.
    init(receiver: Address) {
        self.init(MailboxID(sender: receiver, receiver: receiver))
    }

    /// Appends the key's bytes.
    func append(to bytes: inout [UInt8]) {
        let inline = min(Int(count), Self.inlineCount)
        let words = (word0.bigEndian, word1.bigEndian, word2.bigEndian, word3.bigEndian)
        unsafe withUnsafeBytes(of: words) {
            unsafe bytes.append(contentsOf: UnsafeRawBufferPointer(rebasing: $0[..<inline]))
        }
        if count > UInt8(Self.inlineCount) { bytes.append(contentsOf: rest) }
    }

    /// The key's bytes in an array of their own.
    var bytes: [UInt8] {
        var bytes: [UInt8] = []
        bytes.reserveCapacity(Int(count) + 8)
        append(to: &bytes)
        return bytes
    }

    /// The addresses that the key was made of.
    var mailbox: MailboxID { MailboxID(sender: sender, receiver: receiver) }

    /// Who receives.
    var receiver: Address {
        let bytes = bytes
        return Address(trusted: bytes.span.extracting(1..<1 + Int(bytes[0])))!
    }

    /// Who sends.
    var sender: Address {
        let bytes = bytes
        return Address(trusted: bytes.span.extracting((2 + Int(bytes[0]))..<bytes.count))!
    }

    /// The receiver's part of the key: what one inbox's keys begin with.
    static func receiverPrefix(_ receiver: Address) -> [UInt8] {
        var bytes: [UInt8] = []
        receiver.name.appendWithLength(to: &bytes)
        return bytes
    }
}

extension MailboxKey: Comparable {
    /// The order of keys in the data file.
    @inline(__always)
    static func < (a: MailboxKey, b: MailboxKey) -> Bool {
        if a.word0 != b.word0 { return a.word0 < b.word0 }
        if a.word1 != b.word1 { return a.word1 < b.word1 }
        if a.word2 != b.word2 { return a.word2 < b.word2 }
        if a.word3 != b.word3 { return a.word3 < b.word3 }
        return a.rest.lexicographicallyPrecedes(b.rest)
    }
}
