import Mailbox

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
    let store: any OperatedStore
    let limit: PageLimit
    /// How many receivers ask at the same time.
    let concurrency: Int
    /// How many messages wait, when that is known: for the progress line.
    var expectedMessages: Int?

    func drain(on console: Console) async throws -> DrainReport {
        var list = MailboxList(of: store)
        var meter = ProgressMeter("drain", counting: "messages", on: console)
        var total = DrainReport()
        try await withThrowingTaskGroup(of: DrainReport.self) { group in
            for _ in 0..<concurrency {
                guard let part = try await list.next() else { break }
                group.addTask { try await drainPart(part) }
            }
            while let done = try await group.next() {
                total += done
                let fraction = expectedMessages.map { Double(total.messages) / Double(max(1, $0)) }
                meter.update(count: total.messages, fraction: fraction)
                if let part = try await list.next() {
                    group.addTask { try await drainPart(part) }
                }
            }
        }
        total.seconds = meter.seconds
        meter.finish()
        return total
    }

    private func drainPart(_ part: MailboxList.Part) async throws -> DrainReport {
        var report = DrainReport()
        for entry in part where entry.head.waitingCount > 0 {
            try await drain(entry.mailbox, from: entry.head.acknowledged, into: &report)
        }
        return report
    }

    private func drain(
        _ mailbox: MailboxID, from acknowledged: SequenceNumber, into report: inout DrainReport
    ) async throws {
        report.mailboxes += 1
        var cursor = Cursor.zero
        var held = acknowledged
        while true {
            let result = try await store.messages.fetch(mailbox, cursor: cursor, limit: limit)
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

/// The store's mailboxes, part by part.
private struct MailboxList {
    typealias Part = [(mailbox: MailboxID, head: Head)]

    /// A page costs a look at all mailboxes in memory, whatever its size: few large ones.
    private static let pageCount = 10_000
    /// What a task takes at once.
    private static let partCount = 256

    private let store: any OperatedStore
    private var after: MailboxID?
    private var isAtEnd = false
    private var page: Part.SubSequence = []

    init(of store: any OperatedStore) {
        self.store = store
    }

    /// The next mailboxes; nil when all were handed out.
    mutating func next() async throws -> Part? {
        if page.isEmpty {
            guard !isAtEnd else { return nil }
            let next = try await store.mailboxes(after: after, limit: Self.pageCount)
            after = next.next
            isAtEnd = next.next == nil
            page = next.entries[...]
        }
        let part = page.prefix(Self.partCount)
        page = page.dropFirst(part.count)
        return Array(part)
    }
}
