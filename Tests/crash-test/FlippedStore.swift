import Glibc
import Mailbox
import StoreEngine

/// The store whose bits are flipped: a part of it is in the data file and the rest in the journal
/// alone, and each body's place alone determines it.
enum FlippedStore {
    private static let senders = 16

    private static var configuration: StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 16 << 20
        configuration.messageBytesMaximum = 8 << 10
        configuration.retention = .newest(20)
        // Nothing moves while it is looked at.
        configuration.checkpointIntervalMilliseconds = 3_600_000
        return configuration
    }

    static func make(_ path: String) throws {
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let device = try DeviceID("phone")
        for round in 0..<4 {
            for sender in 0..<senders {
                let mailbox = try MailboxID(sender: "sender\(sender)", receiver: "r")
                let first = try store.sendState(mailbox, device: device) + 1
                let batch = (0..<ClientSequence(12)).map { number in
                    Append(
                        mailbox, producer: Producer(device: device, clientSequence: first + number),
                        body: body(
                            mailbox, first + number, number == 8 ? 2_500 : Int(number) * 16))
                }
                for result in try store.blocking.append(batch: batch) { _ = try result.get() }
                let head = try store.head(mailbox)
                try store.acknowledge(mailbox, through: Cursor(head.max / 2, epoch: store.epoch))
            }
            if round == 1 { try store.blocking.compact() }
            if round == 2 { try store.blocking.checkpoint() }
        }
        store.abandon()
    }

    private static func body(
        _ mailbox: MailboxID, _ number: ClientSequence, _ count: Int
    ) -> [UInt8] {
        Array("\(mailbox.sender) \(number) ".utf8) + [UInt8](repeating: 0x78, count: count)
    }

    /// What there is to see of a store.
    enum Sight: Equatable {
        case refused
        case problems
        /// Every head; and no problem that a verification finds.
        case sound([String])
        /// A body or a number that is not as it was.
        case wrong(String)
    }

    static func look(_ path: String) -> Sight {
        var configuration = configuration
        configuration.mode = .open
        do {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            defer { store.abandon() }
            var lines: [String] = []
            var after: MailboxID?
            var isRefused = false
            repeat {
                let page = try store.mailboxes(after: after, limit: 100)
                for entry in page.entries {
                    switch read(entry.mailbox, store) {
                    case .sound(let more): lines += more
                    case .wrong(let what): return .wrong(what)
                    default: isRefused = true
                    }
                }
                after = page.next
            } while after != nil
            // What was refused was handed out to nobody; the others were still to be looked at.
            if isRefused { return .refused }
            return try store.verify().isSound ? .sound(lines) : .problems
        } catch {
            return .refused
        }
    }

    private static func read(_ mailbox: MailboxID, _ store: MailboxStore) -> Sight {
        do throws(StoreError) {
            let head = try store.head(mailbox)
            guard let device = try? DeviceID("phone") else { return .refused }
            let state = try store.sendState(mailbox, device: device)
            var after = head.floor
            while after < head.max {
                let page = try store.read(mailbox, after: after, limit: PageLimit(messages: 50))
                for message in page.messages {
                    guard isRight(message, after, mailbox) else {
                        return .wrong("\(mailbox.sender) \(after + 1)")
                    }
                    after = message.sequence
                }
            }
            return .sound([
                "\(mailbox) \(head.floor) \(head.acknowledged) \(head.max) \(head.bodyBytes) "
                    + "\(state)"
            ])
        } catch {
            return .refused
        }
    }

    private static func isRight(
        _ message: Message, _ after: SequenceNumber, _ mailbox: MailboxID
    ) -> Bool {
        let number = message.producer?.clientSequence ?? 0
        guard message.sequence == after + 1, number == message.sequence else { return false }
        let byteCount = (number - 1) % 12 == 8 ? 2_500 : Int((number - 1) % 12) * 16
        return message.body.elementsEqual(body(mailbox, number, byteCount))
    }
}
