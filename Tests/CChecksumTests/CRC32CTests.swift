import CChecksum
import Testing

@Suite struct CRC32CTests {
    @Test func answersThePublishedCheckValue() {
        let bytes = Array("123456789".utf8)
        #expect(mailbox_crc32c(0, bytes, bytes.count) == 0xE306_9283)
        #expect(mailbox_crc32c_portable(0, bytes, bytes.count) == 0xE306_9283)
    }
}
