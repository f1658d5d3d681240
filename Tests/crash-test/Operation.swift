import Glibc
import Mailbox
import StoreEngine

/// What an engine does, one thing at a time, so that each of its calls can be killed or disturbed.
enum Operation: String, CaseIterable {
    case create, append, segments, checkpoint, compaction, close, open, backup, restore

    /// Whether it begins in an empty directory.
    var beginsWithNothing: Bool { self == .create }
}

/// Prepares a store, or does one thing with it; says what happens in the words of `History`, and:
///
/// | line | what |
/// |---|---|
/// | `BEGIN`, `END` | the operation, between them |
/// | `E code` | it failed |
/// | `Y code` | how it ended when it was tried again: `ok`, or a code |
/// | `G code` | how reads went on after it |
/// | `T code` | how an append ended after it |
final class OperationRun {
    private let root: String
    private let operation: Operation?
    private var store: MailboxStore?
    private var client = 0

    private static let preparing = 1
    private static let performing = 2

    init(root: String, operation: Operation?) {
        self.root = root
        self.operation = operation
    }

    private var run: Int { operation == nil ? Self.preparing : Self.performing }

    // MARK: Preparing

    /// Makes a store whose data file and journal both have messages, some of them confirmed, with
    /// segments that were used again, a backup beside it, and no orderly end.
    func prepare() throws {
        let store = try open()
        for round in 0..<3 {
            for mailbox in Universe.mailboxes.indices {
                try append(mailbox, count: 3, byteCount: 40)
                try append(mailbox, count: 1, byteCount: 6_000)
            }
            try acknowledge(through: { $0 / 2 })
            if round < 2 {
                Said.line("k")
                try store.blocking.checkpoint()
                Said.line("K")
            }
            if round == 0 {
                Said.line("B 1")
                _ = try store.backup(to: "\(root)/backup-1")
                Said.line("D 1")
            }
        }
        store.abandon()
    }

    private func open() throws(StoreError) -> MailboxStore {
        let opened = try MailboxStore.open(
            at: "\(root)/store", configuration: Oracle.configuration())
        Said.line("O \(opened.epoch)")
        store = opened
        return opened
    }

    private func opened() throws(StoreError) -> MailboxStore {
        guard let store else { throw .closed() }
        return store
    }

    private func append(
        _ mailbox: Int, count: Int, byteCount: Int, atomically: Bool = false
    ) throws(StoreError) {
        let store = try opened()
        let id = Universe.mailboxes[mailbox]
        let device = Universe.devices[0]
        let first = try store.sendState(id, device: device) + 1
        let appends = (0..<count).map { index in
            let origin = Universe.Origin(
                device: 0, clientSequence: first + ClientSequence(index), run: run)
            return Append(
                id, producer: Producer(device: device, clientSequence: origin.clientSequence),
                body: Universe.body(mailbox, origin, byteCount: byteCount))
        }
        Said.line("S \(mailbox) 0 \(first) \(run) \(count)")
        let answers: [AppendResult]
        if atomically {
            answers = try store.blocking.append(atomically: appends)
        } else {
            var successes: [AppendResult] = []
            for result in try store.blocking.append(batch: appends) {
                successes.append(try result.get())
            }
            answers = successes
        }
        for (index, answer) in answers.enumerated() {
            guard let sequence = answer.sequence else { continue }
            Said.line("A \(mailbox) 0 \(first + ClientSequence(index)) \(run) \(sequence)")
        }
    }

    private func acknowledge(through: (SequenceNumber) -> SequenceNumber) throws(StoreError) {
        let store = try opened()
        for (number, mailbox) in Universe.mailboxes.enumerated() {
            let cursor = through(try store.head(mailbox).max)
            Said.line("C \(number) \(cursor)")
            _ = try store.fetch(
                mailbox, cursor: Cursor(cursor, epoch: store.epoch), limit: PageLimit(messages: 5))
        }
    }

    // MARK: Performing

    func perform() throws {
        guard let operation else { return }
        try arrange(operation)
        Said.line("BEGIN")
        let failure = attempt { () throws(StoreError) in try act(operation, try: 1) }
        if let failure { Said.line("E \(failure)") }
        Said.line("END")
        if failure != nil {
            if store != nil, operation != .close {
                Said.line("G \(attempt { () throws(StoreError) in try readAll() } ?? "ok")")
            }
            Said.line(
                "Y \(attempt { () throws(StoreError) in try act(operation, try: 2) } ?? "ok")")
        }
        if store != nil, operation != .close {
            let next = attempt { () throws(StoreError) in
                try append(0, count: 1, byteCount: 20)
            }
            Said.line("T \(next ?? "ok")")
            Said.line("G \(attempt { () throws(StoreError) in try readAll() } ?? "ok")")
        }
        store?.abandon()
    }

    private func attempt(_ body: () throws(StoreError) -> Void) -> String? {
        do throws(StoreError) {
            try body()
            return nil
        } catch {
            return error.code.description
        }
    }

    private func arrange(_ operation: Operation) throws {
        switch operation {
        case .create, .open, .restore: break
        case .append, .segments, .backup: _ = try open()
        case .checkpoint, .close:
            _ = try open()
            for mailbox in 0..<3 { try append(mailbox, count: 2, byteCount: 500) }
        case .compaction:
            let store = try open()
            Said.line("k")
            try store.blocking.checkpoint()
            Said.line("K")
            try acknowledge { $0 }
        }
    }

    private func act(_ operation: Operation, try number: Int) throws(StoreError) {
        switch operation {
        case .create, .open: _ = try open()
        case .append:
            try append(0, count: 1, byteCount: 40)
            try append(1, count: 3, byteCount: 5_000)
            try append(2, count: 3, byteCount: 200, atomically: true)
            try acknowledge { $0 }
            try append(3, count: 1, byteCount: 16)
        case .segments:
            for turn in 0..<16 { try append(turn % 6, count: 1, byteCount: 9_000) }
        case .checkpoint:
            Said.line("k")
            try opened().blocking.checkpoint()
            Said.line("K")
        case .compaction: try opened().blocking.compact(.unacknowledged)
        case .close: try opened().close()
        case .backup:
            Said.line("B \(1 + number)")
            _ = try opened().backup(to: "\(root)/backup-\(1 + number)")
            Said.line("D \(1 + number)")
        case .restore:
            // The second try is for another place: what the first one left is refused.
            Said.line("r 1")
            try MailboxStore.restore(
                from: "\(root)/backup-1", to: "\(root)/restored-\(number)",
                configuration: Oracle.configuration())
            if number == 1 { Said.line("R 1") }
        }
    }

    private func readAll() throws(StoreError) {
        let store = try opened()
        for (number, mailbox) in Universe.mailboxes.enumerated() {
            let head = try store.head(mailbox)
            Said.line("H \(number) \(head.max)")
            var after = head.floor
            while after < head.max {
                let page = try store.read(
                    mailbox, after: after, through: nil, limit: PageLimit(messages: 100))
                for message in page.messages {
                    after = message.sequence
                    guard let origin = Universe.origin(message, mailbox: number) else {
                        Said.line("W \(number) \(after)")
                        continue
                    }
                    Said.line(
                        "V \(number) \(after) \(origin.device) \(origin.clientSequence) "
                            + "\(origin.run)")
                }
            }
        }
    }
}
