package import Mailbox

/// Everything that the model knows, as a value: a copy of it is a backup.
package struct ModelState: Sendable {
    package var epoch: Epoch
    package var mailboxes: [MailboxID: ModelMailbox] = [:]
    let configuration: ModelStore.Configuration

    /// Timestamps are kept in 48 bits.
    static let timestampMaximum: Int64 = (1 << 48) - 1

    // MARK: Append

    /// What can be said of an append without looking at its mailbox.
    func checkArguments(_ append: Append) throws(StoreError) {
        if let producer = append.producer, producer.clientSequence == 0 {
            throw .invalidArgument("client sequences begin at 1")
        }
        guard append.body.count <= configuration.messageBytesMaximum else {
            throw .messageTooLarge(
                bytes: append.body.count, limit: configuration.messageBytesMaximum)
        }
    }

    func checkBatch(_ batch: [Append]) throws(StoreError) {
        guard batch.count <= configuration.batchMessagesMaximum else {
            throw .invalidArgument(
                "\(batch.count) appends in one call; this store takes at most "
                    + "\(configuration.batchMessagesMaximum)")
        }
    }

    package mutating func append(_ append: Append, now: Int64) throws(StoreError) -> AppendResult {
        try checkArguments(append)
        // A refusal must not leave an empty mailbox behind: an inbox would list it.
        defer { if mailboxes[append.mailbox]?.max == 0 { mailboxes[append.mailbox] = nil } }
        let (sequence, isDuplicate) = try mailboxes[append.mailbox, default: ModelMailbox()]
            .append(producer: append.producer, body: append.body, now: now)
        return AppendResult(
            sequence: sequence, isDuplicate: isDuplicate, durability: configuration.durability,
            timestampMilliseconds: isDuplicate
                ? nil : mailboxes[append.mailbox]?.newestTimestamp,
            epoch: epoch)
    }

    package mutating func append(
        atomically batch: [Append], now: Int64
    ) throws(StoreError) -> [AppendResult] {
        try checkBatch(batch)
        var attempt = self
        var results: [AppendResult] = []
        for append in batch {
            do {
                results.append(try attempt.append(append, now: now))
            } catch {
                throw error.about(append.mailbox)
            }
        }
        self = attempt
        return results
    }

    // MARK: Fetch, read, acknowledge

    private func page(_ limit: PageLimit) throws(StoreError) -> ModelPage {
        guard limit.messages >= 1, limit.bytes >= 1 else {
            throw .invalidArgument("limits begin at 1")
        }
        return ModelPage(
            messages: min(limit.messages, configuration.pageMessagesMaximum),
            bytes: min(limit.bytes, configuration.pageBytesMaximum))
    }

    private func check(_ cursor: Cursor, of mailbox: MailboxID) throws(StoreError) {
        let isKnown = cursor.epoch == epoch || (cursor.epoch == nil && cursor.sequence == 0)
        guard isKnown else { throw .epochChanged(current: epoch) }
        let max = mailboxes[mailbox]?.max ?? 0
        guard cursor.sequence <= max else { throw .cursorAhead(max: max) }
    }

    package mutating func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) throws(StoreError) -> Head {
        try check(cursor, of: mailbox)
        mailboxes[mailbox]?.acknowledge(through: cursor.sequence)
        return head(mailbox)
    }

    package mutating func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) throws(StoreError) -> FetchResult {
        var page = try page(limit)
        let head = try acknowledge(mailbox, through: cursor)
        return answer(mailbox, after: head.acknowledged, through: head.max, page: &page)
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) throws(StoreError) -> FetchResult {
        var page = try page(limit)
        let head = head(mailbox)
        guard after >= head.floor else { throw .trimmed(floor: head.floor) }
        return answer(
            mailbox, after: after, through: min(through ?? head.max, head.max), page: &page)
    }

    private func answer(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber, page: inout ModelPage
    ) -> FetchResult {
        let all = mailboxes[mailbox]?.messages(after: after, through: through) ?? []
        let taken = page.take(all)
        return FetchResult(
            messages: MessageBatch(taken), hasMore: taken.count < all.count, head: head(mailbox),
            epoch: epoch)
    }

    package func head(_ mailbox: MailboxID) -> Head {
        mailboxes[mailbox]?.head ?? .empty
    }

    // MARK: All senders of a receiver

    /// The mailboxes of a receiver, by sender.
    package func mailboxes(of receiver: Address) -> [MailboxID] {
        mailboxes.keys.filter { $0.receiver == receiver }.sorted()
    }

    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) throws(StoreError) -> InboxPage {
        guard (1...10_000).contains(limit) else {
            throw .invalidArgument("the limit is \(limit) mailboxes; it must be 1 to 10 000")
        }
        let all = mailboxes(of: receiver).filter { mailbox in
            after.map { $0 < mailbox.sender } ?? true
        }
        let listed = all.prefix(limit)
        return InboxPage(
            entries: listed.map { InboxPage.Entry(sender: $0.sender, head: head($0)) },
            next: listed.count < all.count ? listed.last?.sender : nil)
    }

    package mutating func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) throws(StoreError) -> SyncResult {
        var page = try page(limit)
        guard cursors.count <= 10_000 else {
            throw .invalidArgument("\(cursors.count) cursors; a sync takes at most 10 000")
        }
        var attempt = self
        for (sender, cursor) in cursors.sorted(by: { $0.key < $1.key }) {
            let mailbox = MailboxID(sender: sender, receiver: receiver)
            do {
                _ = try attempt.acknowledge(mailbox, through: cursor)
            } catch {
                throw error.about(mailbox)
            }
        }
        self = attempt
        var result = SyncResult(entries: [], hasMore: false, epoch: epoch)
        for mailbox in mailboxes(of: receiver) where head(mailbox).waitingCount > 0 {
            let head = head(mailbox)
            let entry = answer(
                mailbox, after: head.acknowledged, through: head.max, page: &page)
            if entry.hasMore { result.hasMore = true }
            if !entry.messages.isEmpty {
                result.entries.append(SyncResult.Entry(sender: mailbox.sender, result: entry))
            }
        }
        return result
    }

    // MARK: Compaction

    package mutating func compact(
        _ policy: RetentionPolicy, now: Int64
    ) throws(StoreError) -> CompactionReport {
        if case .acknowledged(forMilliseconds: let duration) = policy, duration < 0 {
            throw .invalidArgument("the duration is \(duration) ms; it must be from 0")
        }
        var report = CompactionReport()
        for mailbox in mailboxes.keys {
            let before = head(mailbox)
            let floor = mailboxes[mailbox]?.floor(under: policy, now: now) ?? 0
            mailboxes[mailbox]?.trim(through: floor)
            let after = head(mailbox)
            report.mailboxesExamined += 1
            report.mailboxesCompacted += after.floor > before.floor ? 1 : 0
            report.messagesRemoved += Int(after.floor - before.floor)
            report.bodyBytesRemoved += before.bodyBytes - after.bodyBytes
        }
        return report
    }
}

/// The room that is left in an answer: messages are added while they fit, the very first always.
struct ModelPage {
    private var messages: Int
    private var bytes: Int
    private var isEmpty = true
    private var isFull = false

    init(messages: Int, bytes: Int) {
        self.messages = messages
        self.bytes = bytes
    }

    /// The first of `all` that fit. After the first that does not, nothing fits any more.
    mutating func take(_ all: ArraySlice<Message>) -> [Message] {
        var taken: [Message] = []
        for message in all {
            isFull = isFull || messages == 0 || (!isEmpty && message.body.count > bytes)
            if isFull { break }
            messages -= 1
            bytes -= message.body.count
            isEmpty = false
            taken.append(message)
        }
        return taken
    }
}
