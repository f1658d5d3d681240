import Mailbox
import StoreEngine

#if canImport(Glibc)
    import Glibc
#endif

/// Works on a store until it is killed, and says on standard output what it was promised.
///
/// `C sender cursor` goes out before a fetch, `A sender device clientSequence sequence` after the
/// answer to an append. What was said before the kill is what the store is held to.
@main
enum CrashWorker {
    static func main() throws {
        let path = CommandLine.arguments[1]
        if CommandLine.arguments[2] == "check" { return CheckMode.run(path) }
        if CommandLine.arguments[2] == "flips" {
            return try FlipMode.run(path, copy: CommandLine.arguments[3])
        }
        var random = SplitMix(state: UInt64(CommandLine.arguments[2]) ?? 0)
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 64 << 10
        configuration.checkpointJournalBytes = 128 << 10
        configuration.tailBytesMaximum = 1 << 20
        configuration.headCacheMaximum = 16
        configuration.checkpointIntervalMilliseconds = 10
        configuration.messageBytesMaximum = 8 << 10
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let device = try DeviceID("phone")
        let mailboxes = try (0..<32).map { try MailboxID(sender: "sender\($0)", receiver: "r") }
        say("O")
        while true {
            let mailbox = mailboxes[Int(random.next() % 32)]
            switch random.next() % 8 {
            case 0:
                let head = try store.head(mailbox)
                guard head.max > 0 else { continue }
                let cursor = UInt32(random.next() % UInt64(head.max)) + 1
                say("C \(mailbox.sender) \(cursor)")
                _ = try store.fetch(mailbox, cursor: Cursor(cursor, epoch: store.epoch))
            case 1 where random.next() % 8 == 0: _ = try store.blocking.compact(nil)
            case 2 where random.next() % 8 == 0: try store.blocking.checkpoint()
            default:
                var next = try store.sendState(mailbox, device: device) + 1
                let batch = (0..<Int(random.next() % 8) + 1).map { _ in
                    defer { next += 1 }
                    return Append(
                        mailbox, producer: Producer(device: device, clientSequence: next),
                        body: body(mailbox.sender, next))
                }
                for (append, result) in zip(batch, try store.blocking.append(batch: batch)) {
                    guard let sequence = try result.get().sequence, let producer = append.producer
                    else { continue }
                    say("A \(mailbox.sender) \(producer.clientSequence) \(sequence)")
                }
            }
        }
    }

    /// A body that its place alone determines, so that whoever reads it can tell a wrong one.
    static func body(_ sender: Address, _ clientSequence: ClientSequence) -> [UInt8] {
        let text = Array("\(sender) \(clientSequence) ".utf8)
        let count = Int(clientSequence &* 37 % 700)
        return text + [UInt8](repeating: UInt8(truncatingIfNeeded: clientSequence), count: count)
    }

    /// One write a line: a kill cuts between lines.
    static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(1, bytes, bytes.count)
    }

    private struct SplitMix {
        var state: UInt64
        mutating func next() -> UInt64 {
            state &+= 0x9E37_79B9_7F4A_7C15
            var z = state
            z = (z ^ (z >> 30)) &* 0xBF58_476D_1CE4_E5B9
            z = (z ^ (z >> 27)) &* 0x94D0_49BB_1331_11EB
            return z ^ (z >> 31)
        }
    }
}
