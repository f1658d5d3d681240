import CChecksum
import Testing

@Suite struct CRC32CTests {
    /// RFC 3720, appendix B.4, and the check value of the catalogues.
    static let published: [(bytes: [UInt8], checksum: UInt32)] = [
        (Array("123456789".utf8), 0xE306_9283),
        ([], 0),
        ([UInt8](repeating: 0, count: 32), 0x8A91_36AA),
        ([UInt8](repeating: 0xFF, count: 32), 0x62A8_AB43),
        (Array(0..<32), 0x46DD_794E),
        (Array((0..<32).reversed()), 0x113F_DB5C),
    ]

    @Test(arguments: published)
    func answersThePublishedValue(bytes: [UInt8], checksum: UInt32) {
        #expect(mailbox_crc32c(0, bytes, bytes.count) == checksum)
        #expect(mailbox_crc32c_portable(0, bytes, bytes.count) == checksum)
    }

    /// Every length around the places where an implementation changes its way, and every alignment.
    @Test func implementationsAgree() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed), \(String(cString: mailbox_crc32c_implementation()))")
        var generator = SplitMix(state: seed)
        let bytes = (0..<7_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        let lengths = Array(0..<400) + Array(3_000..<3_200) + Array(6_100..<6_300)
        bytes.withUnsafeBytes { buffer in
            for length in lengths {
                let start = buffer.baseAddress! + length % 17
                let register = UInt32.random(in: 0 ... .max, using: &generator)
                #expect(
                    mailbox_crc32c(register, start, length)
                        == mailbox_crc32c_portable(register, start, length),
                    "length \(length)")
            }
        }
    }

    @Test func continuesFromTheChecksumOfWhatCameBefore() {
        let seed = UInt64.random(in: 0 ... .max)
        print("seed \(seed)")
        var generator = SplitMix(state: seed)
        let bytes = (0..<10_000).map { _ in UInt8.random(in: 0...255, using: &generator) }
        bytes.withUnsafeBytes { buffer in
            let start = buffer.baseAddress!
            let whole = mailbox_crc32c(0, start, buffer.count)
            for _ in 0..<200 {
                let split = Int.random(in: 0...buffer.count, using: &generator)
                let first = mailbox_crc32c(0, start, split)
                #expect(mailbox_crc32c(first, start + split, buffer.count - split) == whole)
            }
        }
    }

    @Test func noBytesChangeNothing() {
        #expect(mailbox_crc32c(0x1234_5678, nil, 0) == 0x1234_5678)
        #expect(mailbox_crc32c_portable(0x1234_5678, nil, 0) == 0x1234_5678)
    }
}

/// A generator whose seed reproduces a run.
private struct SplitMix: RandomNumberGenerator {
    var state: UInt64

    mutating func next() -> UInt64 {
        state &+= 0x9E37_79B9_7F4A_7C15
        var word = (state ^ (state >> 30)) &* 0xBF58_476D_1CE4_E5B9
        word = (word ^ (word >> 27)) &* 0x94D0_49BB_1331_11EB
        return word ^ (word >> 31)
    }
}
