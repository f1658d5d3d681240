import Mailbox
import StoreEngine
import Testing

@Suite("Heads in memory")
struct HeadCacheTests {
    private static func mailbox(_ number: Int) throws -> MailboxID {
        try MailboxID(sender: "sender", receiver: "receiver\(number)")
    }

    /// A store of `count` mailboxes with two messages each: all in the data file, none in memory.
    private static func cold(_ count: Int, in scratch: Scratch) throws -> MailboxStore {
        let configuration = StoreConfiguration.tiny()
        let store = try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
        for number in 0..<count {
            for text in ["one", "two"] {
                _ = try store.blocking.append(Append(mailbox(number), text: text))
            }
        }
        try store.close()
        return try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
    }

    @Test("A read brings a mailbox's head into memory, and the next one finds it there")
    func readWarms() throws {
        let scratch = try Scratch()
        let store = try Self.cold(3, in: scratch)
        defer { try? store.close() }
        #expect(try store.statistics().mailboxesInMemory == 0)
        for _ in 1...2 {
            let answer = try store.read(
                Self.mailbox(1), after: 0, through: nil, limit: .standard)
            #expect(
                answer.messages.map { Array($0.body) } == [Array("one".utf8), Array("two".utf8)])
            #expect(try store.statistics().mailboxesInMemory == 1)
        }
        #expect(
            try store.fetch(
                Self.mailbox(1), cursor: Cursor(2, epoch: store.epoch), limit: .standard
            )
            .head.acknowledged == 2)
        let third = Append(try Self.mailbox(1), text: "three")
        #expect(try store.blocking.append(third).sequence == 3)
    }

    @Test("Reads fill the memory for heads to its limit, and no further")
    func readsKeepTheLimit() throws {
        let scratch = try Scratch()
        let store = try Self.cold(40, in: scratch)
        defer { try? store.close() }
        for number in 0..<40 {
            let answer = try store.read(
                Self.mailbox(number), after: 0, through: nil, limit: .standard)
            #expect(answer.messages.count == 2)
        }
        #expect(try store.statistics().mailboxesInMemory == 16)
    }

    @Test("A mailbox that nobody wrote to takes no room when it is read")
    func emptyTakesNoRoom() throws {
        let scratch = try Scratch()
        let store = try Self.cold(1, in: scratch)
        defer { try? store.close() }
        let answer = try store.fetch(Self.mailbox(7), cursor: .zero, limit: .standard)
        #expect(answer.messages.isEmpty)
        #expect(try store.statistics().mailboxesInMemory == 0)
    }
}
