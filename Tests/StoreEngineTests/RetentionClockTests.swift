import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// FAILURES row 18: a clock that jumps a day either way lets nothing expire early.
@Suite("Retention beside a clock that jumps")
struct RetentionClockTests {
    private static let hour: Int64 = 3_600_000
    private static let day: Int64 = 24 * hour

    private let scratch: Scratch
    private let clock = ManualClock()
    private let mailbox: MailboxID

    init() throws {
        scratch = try Scratch()
        mailbox = try MailboxID(sender: "alice", receiver: "bob")
    }

    private func open() throws -> MailboxStore {
        var configuration = StoreConfiguration.tiny(clock: clock)
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.retention = .acknowledged(forMilliseconds: Self.hour)
        return try MailboxStore.open(at: scratch.file("store"), configuration: configuration)
    }

    /// Stores a message and confirms it.
    private func store(_ store: MailboxStore) throws {
        let answer = try store.blocking.append(Append(mailbox, text: "hello"))
        try store.acknowledge(
            mailbox, through: Cursor(answer.sequence ?? 0, epoch: store.epoch))
    }

    private func floor(_ store: MailboxStore) throws -> SequenceNumber {
        try store.blocking.compact()
        return try store.head(mailbox).floor
    }

    @Test("A clock that jumps ahead lets nothing expire; an hour that went by does")
    func ahead() throws {
        let store = try open()
        try self.store(store)
        clock.jump(Self.day)
        #expect(try floor(store) == 0)
        clock.advance(Self.hour - 1)
        #expect(try floor(store) == 0)
        clock.advance(1)
        #expect(try floor(store) == 1)
        store.abandon()
    }

    @Test("A message of a time when the clock was behind does not expire when it is set right")
    func behind() throws {
        let store = try open()
        try self.store(store)
        #expect(try floor(store) == 0)
        clock.jump(-Self.day)
        try MailboxID(sender: "carol", receiver: "bob").append(store)
        clock.jump(Self.day)
        try store.blocking.compact()
        #expect(try store.head(MailboxID(sender: "carol", receiver: "bob")).floor == 0)
        clock.advance(Self.hour)
        try store.blocking.compact()
        #expect(try store.head(MailboxID(sender: "carol", receiver: "bob")).floor == 1)
        store.abandon()
    }

    @Test("A clock that jumps to and fro lets nothing expire early", arguments: 0..<20)
    func random(_ seed: UInt64) throws {
        var random = SeededRandom(seed: seed)
        let store = try open()
        var stored: [(at: Int64, sequence: SequenceNumber)] = []
        for _ in 0..<60 {
            switch Int.random(in: 0..<4, using: &random) {
            case 0: clock.jump(Int64.random(in: -Self.day...Self.day, using: &random))
            case 1: clock.advance(Int64.random(in: 0...Self.hour, using: &random))
            case 2:
                try self.store(store)
                stored.append((clock.elapsedMilliseconds(), SequenceNumber(stored.count + 1)))
            default:
                let floor = try floor(store)
                let now = clock.elapsedMilliseconds()
                let young = stored.first { now - $0.at < Self.hour }
                #expect(floor < young?.sequence ?? .max)
            }
        }
        store.abandon()
    }

    /// Days that a closed store was not looked at cannot be told from a clock that jumped.
    @Test("A store that is opened again takes the clock for right")
    func reopened() throws {
        let store = try open()
        try self.store(store)
        try store.close()
        clock.jump(Self.day)
        let again = try open()
        #expect(try floor(again) == 1)
        again.abandon()
    }
}

extension MailboxID {
    /// Stores a message and confirms it.
    fileprivate func append(_ store: MailboxStore) throws {
        _ = try store.blocking.append(Append(self, text: "hello"))
        try store.acknowledge(self, through: Cursor(1, epoch: store.epoch))
    }
}
