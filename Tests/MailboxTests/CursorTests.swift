import Mailbox
import Testing

@Suite("Epoch and Cursor")
struct CursorTests {
    @Test("An epoch is printed as sixteen digits, and read back")
    func epochText() throws {
        for value in [1, 0xABC, 0x0123_4567_89AB_CDEF, .max] as [UInt64] {
            let epoch = try #require(Epoch(rawValue: value))
            #expect(epoch.description.count == 16)
            #expect(try Epoch(epoch.description) == epoch)
        }
        #expect(try Epoch("ff").rawValue == 255)
        #expect(try Epoch("FF").rawValue == 255)
        #expect(Epoch(rawValue: 0) == nil)
    }

    @Test(
        "What is no epoch is refused",
        arguments: ["", "0", "0000000000000000", "g", "-1", " 1", "10000000000000000"])
    func badEpochText(_ text: String) {
        let error = #expect(throws: StoreError.self) { try Epoch(text) }
        #expect(error?.code == .invalidArgument)
    }

    @Test("Two mints differ")
    func mint() {
        #expect(Set((0..<100).map { _ in Epoch.mint() }).count == 100)
    }

    @Test("A cursor passes with the store's epoch, or as 0 without any")
    func check() throws {
        let current = Epoch.mint()
        let other = Epoch(rawValue: current.rawValue ^ 2)
        for cursor in [
            Cursor.zero, Cursor(0, epoch: current), Cursor(1, epoch: current),
            Cursor(.max, epoch: current),
        ] {
            try cursor.check(against: current)
        }
        for cursor in [
            Cursor(1, epoch: nil), Cursor(.max, epoch: nil), Cursor(0, epoch: other),
            Cursor(1, epoch: other),
        ] {
            let error = #expect(throws: StoreError.self) { try cursor.check(against: current) }
            #expect(error?.code == .epochChanged)
            #expect(error?.facts.currentEpoch == current)
        }
    }

    @Test("A limit is at least 1 message and 1 byte")
    func pageLimit() throws {
        try PageLimit.standard.check()
        try PageLimit(messages: 1, bytes: 1).check()
        try PageLimit(messages: .max, bytes: .max).check()
        for limit in [
            PageLimit(messages: 0), PageLimit(bytes: 0), PageLimit(messages: -1),
            PageLimit(bytes: .min),
        ] {
            let error = #expect(throws: StoreError.self) { try limit.check() }
            #expect(error?.code == .invalidArgument)
        }
    }

    @Test("A head counts what waits and what is stored")
    func head() {
        let head = Head(
            max: 20, acknowledged: 12, floor: 5, bodyBytes: 1, newestTimestampMilliseconds: 1)
        #expect(head.waitingCount == 8)
        #expect(head.storedCount == 15)
        #expect(Head.empty.waitingCount == 0)
        #expect(Head.empty.storedCount == 0)
        let last = Head(
            max: .max, acknowledged: 0, floor: 0, bodyBytes: 0, newestTimestampMilliseconds: 0)
        #expect(last.waitingCount == .max)
    }
}
