import Mailbox
import StoreEngine
import Synchronization

/// What it took until no receiver had anything waiting.
struct DrainReport: Equatable {
    /// Mailboxes that had messages waiting.
    var mailboxes = 0
    var messages = 0
    var bodyBytes = 0
    /// Calls of `fetch`, those that confirm the last messages and find nothing more included.
    var fetches = 0
    var seconds = 0.0

    static func += (total: inout DrainReport, part: DrainReport) {
        total.mailboxes += part.mailboxes
        total.messages += part.messages
        total.bodyBytes += part.bodyBytes
        total.fetches += part.fetches
    }
}

/// Plays every receiver: fetches with a cursor, then with the cursor behind what came, until
/// nothing is left and everything is confirmed.
struct Drainer {
    let store: MailboxStore
    let limit: PageLimit
    /// How many receivers ask at the same time.
    let concurrency: Int
    /// How many messages wait, when that is known: for the progress line.
    var expectedMessages: Int?

    func drain(on console: Console) async throws -> DrainReport {
        let list = MailboxList(of: store)
        var meter = ProgressMeter("drain", counting: "messages", on: console)
        var total = DrainReport()
        try await withThrowingTaskGroup(of: DrainReport?.self) { group in
            for _ in 0..<concurrency {
                group.addTask { try drainPart(list) }
            }
            while let part = try await group.next() {
                guard let part else { continue }
                total += part
                let fraction = expectedMessages.map { Double(total.messages) / Double(max(1, $0)) }
                meter.update(count: total.messages, fraction: fraction)
                group.addTask { try drainPart(list) }
            }
        }
        total.seconds = meter.seconds
        meter.finish()
        return total
    }

    /// Drains the next mailboxes; nil when there are none.
    private func drainPart(_ list: MailboxList) throws -> DrainReport? {
        guard let part = try list.next() else { return nil }
        var report = DrainReport()
        for entry in part where entry.head.waitingCount > 0 {
            try drain(entry.mailbox, from: entry.head.acknowledged, into: &report)
        }
        return report
    }

    private func drain(
        _ mailbox: MailboxID, from acknowledged: SequenceNumber, into report: inout DrainReport
    ) throws {
        report.mailboxes += 1
        var cursor = Cursor.zero
        var held = acknowledged
        while true {
            let result = try store.fetch(mailbox, cursor: cursor, limit: limit)
            report.fetches += 1
            guard !result.messages.isEmpty else { return }
            for message in result.messages {
                guard message.sequence == held + 1 else {
                    throw Failure(
                        code: "corrupted",
                        message: "\(mailbox) gave sequence \(message.sequence) after \(held)",
                        status: .problems)
                }
                held = message.sequence
            }
            report.messages += result.messages.count
            report.bodyBytes += result.messages.bodyBytes
            cursor = Cursor(held, epoch: result.epoch)
        }
    }
}

/// The store's mailboxes, handed out to several tasks: each to one of them.
private final class MailboxList: Sendable {
    /// A page costs a look at all mailboxes in memory, whatever its size: few large ones.
    private static let pageCount = 10_000
    /// What a task takes at once.
    private static let partCount = 256

    private struct State {
        var after: MailboxID?
        var isAtEnd = false
        var page: ArraySlice<MailboxPage.Entry> = []
    }

    private let store: MailboxStore
    private let state = Mutex(State())

    init(of store: MailboxStore) {
        self.store = store
    }

    /// The next mailboxes; nil when all were handed out.
    func next() throws(StoreError) -> ArraySlice<MailboxPage.Entry>? {
        try state.withLock { state throws(StoreError) in
            if state.page.isEmpty {
                guard !state.isAtEnd else { return nil }
                let page = try store.mailboxes(after: state.after, limit: Self.pageCount)
                state.after = page.next
                state.isAtEnd = page.next == nil
                state.page = page.entries[...]
            }
            let part = state.page.prefix(Self.partCount)
            state.page = state.page.dropFirst(part.count)
            return part
        }
    }
}
