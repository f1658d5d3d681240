import Mailbox
import Testing

@Suite("Address, DeviceID and MailboxID")
struct AddressTests {
    @Test(
        "Text of 1 to 64 bytes is an address",
        arguments: [
            "a", "alice", "alice@example.org", " ", "é", "e\u{301}", "日本語", "👩‍👩‍👧",
            String(repeating: "x", count: 64), String(repeating: "é", count: 32), "\u{A0}", "~",
        ])
    func accepted(_ text: String) throws {
        let address = try Address(text)
        #expect(address.description.utf8.elementsEqual(text.utf8))
        #expect(address.utf8 == Array(text.utf8))
        #expect(address.utf8Count == text.utf8.count)
        let bytes = Array(text.utf8)
        #expect(try Address(utf8: bytes.span) == address)
        #expect(try DeviceID(text).utf8 == bytes)
        #expect(try DeviceID(utf8: bytes.span).description.utf8.elementsEqual(text.utf8))
        #expect(Address(trusted: bytes.span) == address)
    }

    @Test(
        "Anything else is refused",
        arguments: [
            "", String(repeating: "x", count: 65), String(repeating: "é", count: 33), "\0", "a\0",
            "\n", "a\tb", "\u{1F}", "\u{7F}", "\u{80}", "\u{9F}", "ab\u{85}",
        ])
    func refused(_ text: String) {
        let address = #expect(throws: StoreError.self) { try Address(text) }
        #expect(address?.code == .invalidArgument)
        let device = #expect(throws: StoreError.self) { try DeviceID(text) }
        #expect(device?.code == .invalidArgument)
    }

    @Test(
        "Bytes that are not UTF-8 are refused",
        arguments: [
            [0xFF], [0xC0, 0x80], [0x61, 0xE9], [0xED, 0xA0, 0x80], [0xF5, 0x80, 0x80, 0x80],
            [0xE2, 0x82],
        ] as [[UInt8]])
    func notText(_ bytes: [UInt8]) {
        let error = #expect(throws: StoreError.self) { try Address(utf8: bytes.span) }
        #expect(error?.code == .invalidArgument)
        #expect(throws: StoreError.self) { try DeviceID(utf8: bytes.span) }
    }

    @Test("No two control characters are let through, and all others are")
    func controlCharacters() {
        for value in UInt32(0)...0x2FF {
            guard let scalar = Unicode.Scalar(value) else { continue }
            let isControl = value < 0x20 || (0x7F...0x9F).contains(value)
            let isRefused = (try? Address("a\(Character(scalar))b")) == nil
            #expect(isRefused == isControl, "U+\(String(value, radix: 16))")
        }
    }

    @Test("Compared as bytes, not as text")
    func comparedAsBytes() throws {
        let composed = try Address("\u{E9}")
        let decomposed = try Address("e\u{301}")
        #expect("\u{E9}" == "e\u{301}")
        #expect(composed != decomposed)
        #expect(Set([composed, decomposed]).count == 2)
        #expect(try Address("Alice") != Address("alice"))
    }

    @Test("Ordered by length, then by bytes, whatever the length")
    func ordered() throws {
        var random = SeededOrder(seed: 11)
        var names: [[UInt8]] = []
        for length in [1, 2, 7, 8, 9, 15, 16, 17, 31, 32, 33, 63, 64] {
            for _ in 0..<6 {
                names.append(
                    (0..<length).map { _ in UInt8.random(in: 0x61...0x63, using: &random) })
            }
        }
        let addresses = try names.map { try Address(utf8: $0.span) }
        for (left, a) in zip(names, addresses) {
            for (right, b) in zip(names, addresses) {
                let isLess =
                    left.count == right.count
                    ? left.lexicographicallyPrecedes(right) : left.count < right.count
                #expect((a < b) == isLess)
                #expect((a == b) == (left == right))
                if a == b {
                    #expect(a.hashValue == b.hashValue)
                    #expect(a.name.mixedHash(seed: 1) == b.name.mixedHash(seed: 1))
                }
            }
        }
    }

    @Test("The bytes with their length in front sort as the addresses do")
    func orderPreservingBytes() throws {
        let names = ["b", "a", "aa", "é", "zz", "aaa", String(repeating: "a", count: 64), "Z"]
        let addresses = try names.map { try Address($0) }
        func key(_ address: Address) -> [UInt8] {
            var bytes: [UInt8] = []
            address.name.appendWithLength(to: &bytes)
            return bytes
        }
        #expect(
            addresses.sorted().map(key)
                == addresses.map(key).sorted { $0.lexicographicallyPrecedes($1) })
    }

    @Test("Two directions are two mailboxes, and an inbox is one stretch")
    func mailboxes() throws {
        let there = try MailboxID(sender: "alice", receiver: "bob")
        let back = try MailboxID(sender: "bob", receiver: "alice")
        #expect(there != back)
        #expect(there.description == "alice → bob")
        var all: [MailboxID] = []
        for sender in ["a", "bb", "c"] {
            for receiver in ["zz", "y", "x"] {
                all.append(try MailboxID(sender: sender, receiver: receiver))
            }
        }
        #expect(
            all.sorted().map(\.description) == [
                "a → x", "c → x", "bb → x", "a → y", "c → y", "bb → y", "a → zz", "c → zz",
                "bb → zz",
            ])
        #expect(throws: StoreError.self) { try MailboxID(sender: "", receiver: "bob") }
        #expect(throws: StoreError.self) { try MailboxID(sender: "alice", receiver: "") }
    }

    @Test("The hash mixes sender, receiver, length and seed")
    func hashes() throws {
        var hashes: Set<UInt64> = []
        var count = 0
        for length in 1...64 {
            for letter in ["a", "b"] {
                let name = String(repeating: letter, count: length)
                for mailbox in [
                    try MailboxID(sender: name, receiver: "bob"),
                    try MailboxID(sender: "bob", receiver: name),
                ] {
                    for seed in [0x5EED_1234_5678_9ABC, 0x0123_4567_89AB_CDEF] as [UInt64] {
                        hashes.insert(mailbox.mixedHash(seed: seed))
                        count += 1
                    }
                }
            }
        }
        #expect(hashes.count == count)
    }

    @Test("Bytes from a file are an address only when their number is right")
    func trusted() {
        let empty: [UInt8] = []
        let long = [UInt8](repeating: 0x61, count: 65)
        #expect(Address(trusted: empty.span) == nil)
        #expect(Address(trusted: long.span) == nil)
        #expect(DeviceID(trusted: empty.span) == nil)
    }
}

/// Repeatable, and independent of the generator that the suite brings.
struct SeededOrder: RandomNumberGenerator {
    private var state: UInt64

    init(seed: UInt64) { state = seed | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
