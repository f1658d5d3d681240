import Mailbox
import StoreEngine

#if canImport(Glibc)
    import Glibc
#endif

/// Reads a store that may be damaged, and says on standard output what it found.
enum CheckMode {
    static func run(_ path: String) {
        // Whoever walks a damaged tree for ever is stopped, as if it had crashed.
        alarm(60)
        var configuration = StoreConfiguration()
        configuration.mode = .open
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 16 << 20
        configuration.messageBytesMaximum = 8 << 10
        configuration.retention = .newest(20)
        // Nothing moves while it is looked at.
        configuration.checkpointIntervalMilliseconds = 3_600_000
        do {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            var after: MailboxID?
            repeat {
                let page = try store.mailboxes(after: after, limit: 100)
                for entry in page.entries { try read(entry.mailbox, store) }
                after = page.next
            } while after != nil
            let report = try store.verify()
            CrashWorker.say(report.isSound ? "sound" : "problems \(report.problemCount)")
            store.abandon()
        } catch {
            CrashWorker.say("refused \((error as? StoreError)?.code.description ?? "oddly")")
        }
    }

    private static func read(_ mailbox: MailboxID, _ store: MailboxStore) throws {
        let head = try store.head(mailbox)
        let state = try store.sendState(mailbox, device: try DeviceID("phone"))
        var after = head.floor
        while after < head.max {
            let page = try store.read(mailbox, after: after, limit: PageLimit(messages: 50))
            for message in page.messages {
                let number = message.producer?.clientSequence ?? 0
                let expected = Array("\(mailbox.sender) \(number) ".utf8)
                let isRight =
                    message.sequence == after + 1 && number == message.sequence
                    && message.body.starts(with: expected)
                    && message.body.dropFirst(expected.count).allSatisfy { $0 == 0x78 }
                if !isRight { CrashWorker.say("WRONG \(mailbox.sender) \(after + 1)") }
                after = message.sequence
            }
        }
        CrashWorker.say(
            "\(mailbox) \(head.floor) \(head.acknowledged) \(head.max) \(head.bodyBytes) \(state)")
    }
}
