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
    private static let pageCount = 512

    let store: MailboxStore
    let limit: PageLimit
    /// How many receivers ask at the same time.
    let concurrency: Int
    /// How many messages wait, when that is known: for the progress line.
    var expectedMessages: Int?

    func drain(on console: Console) async throws -> DrainReport {
        let pages = MailboxPages(of: store, pageCount: Self.pageCount)
        var meter = ProgressMeter("drain", counting: "messages", on: console)
        var total = DrainReport()
        try await withThrowingTaskGroup(of: DrainReport?.self) { group in
            for _ in 0..<concurrency {
                group.addTask { try drainPage(pages) }
            }
            while let part = try await group.next() {
                guard let part else { continue }
                total += part
                let fraction = expectedMessages.map { Double(total.messages) / Double(max(1, $0)) }
                meter.update(count: total.messages, fraction: fraction)
                group.addTask { try drainPage(pages) }
            }
        }
        total.seconds = meter.seconds
        meter.finish()
        return total
    }

    /// Drains the next page of mailboxes; nil when there is none.
    private func drainPage(_ pages: MailboxPages) throws -> DrainReport? {
        guard let page = try pages.next() else { return nil }
        var report = DrainReport()
        for entry in page.entries where entry.head.waitingCount > 0 {
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

/// The store's mailboxes in pages, handed out to several tasks: each page to one of them.
private final class MailboxPages: Sendable {
    private struct Position {
        var after: MailboxID?
        var isAtEnd = false
    }

    private let store: MailboxStore
    private let pageCount: Int
    private let position = Mutex(Position())

    init(of store: MailboxStore, pageCount: Int) {
        self.store = store
        self.pageCount = pageCount
    }

    /// The next page; nil when all were handed out.
    func next() throws(StoreError) -> MailboxPage? {
        try position.withLock { position throws(StoreError) in
            guard !position.isAtEnd else { return nil }
            let page = try store.mailboxes(after: position.after, limit: pageCount)
            position.after = page.next
            position.isAtEnd = page.next == nil
            return page
        }
    }
}
