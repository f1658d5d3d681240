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
        for line in lines(path) { CrashWorker.say(line) }
    }

    /// What there is to say of a store: a line for each mailbox, and at the end whether it is
    /// sound, has problems or was refused. `WRONG` begins the line of a body that is not as it was.
    static func lines(_ path: String) -> [String] {
        var configuration = StoreConfiguration()
        configuration.mode = .open
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 16 << 20
        configuration.messageBytesMaximum = 8 << 10
        configuration.retention = .newest(20)
        // Nothing moves while it is looked at.
        configuration.checkpointIntervalMilliseconds = 3_600_000
        var lines: [String] = []
        do {
            let store = try MailboxStore.open(at: path, configuration: configuration)
            defer { store.abandon() }
            var after: MailboxID?
            repeat {
                let page = try store.mailboxes(after: after, limit: 100)
                for entry in page.entries { try read(entry.mailbox, store, &lines) }
                after = page.next
            } while after != nil
            let report = try store.verify()
            lines.append(report.isSound ? "sound" : "problems \(report.problemCount)")
        } catch {
            lines.append("refused \((error as? StoreError)?.code.description ?? "oddly")")
        }
        return lines
    }

    private static func read(
        _ mailbox: MailboxID, _ store: MailboxStore, _ lines: inout [String]
    ) throws {
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
                if !isRight { lines.append("WRONG \(mailbox.sender) \(after + 1)") }
                after = message.sequence
            }
        }
        lines.append(
            "\(mailbox) \(head.floor) \(head.acknowledged) \(head.max) \(head.bodyBytes) \(state)")
    }
}
