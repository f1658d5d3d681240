import Mailbox

/// A store that a command works on: in a directory of this machine, or behind a daemon.
protocol OperatedStore: Sendable {
    /// The verbs of the contract.
    var messages: any MailboxStorage { get }

    /// The largest body that the store takes, in bytes.
    func messageBytesMaximum() async throws -> Int

    /// All mailboxes above `after`, in order of receiver and sender, at most `limit` (1 … 10 000).
    func mailboxes(after: MailboxID?, limit: Int) async throws -> HeadPage

    /// How the store stands.
    func standing() async throws -> StoreStanding

    /// Checks every record.
    ///
    /// - Parameter progress: called now and then with the records that were checked and those that
    ///   there are, about.
    func verify(_ progress: @escaping @Sendable (Int, Int) -> Void) async throws -> VerifySummary

    /// Copies the store into a directory of this machine, missing or empty.
    func backup(to path: String) async throws -> BackupSummary
}

/// A page of mailboxes.
struct HeadPage: Sendable {
    var entries: [(mailbox: MailboxID, head: Head)]
    /// Where the next page begins; nil when this is the last.
    var next: MailboxID?
}

/// What a store tells of itself, all shards together.
struct StoreStanding: Equatable, Sendable {
    var epoch: Epoch
    var shardCount: Int
    /// What keeps it from taking appends; nil when nothing does.
    var condition: String?
    var recoveredRecords: UInt64
    var journalBytesUsed: UInt64
    var journalBytesAllotted: UInt64
    var dataBytesUsed: UInt64
    var dataBytesFree: UInt64
    var mapBytes: UInt64
    /// What the directory takes on disk, in bytes; nil behind a daemon, which does not tell it.
    var diskBytes: Int64?
}

/// What a verification found.
struct VerifySummary: Equatable, Sendable {
    var mailboxes: UInt64
    var messages: UInt64
    var bodyBytes: UInt64
    var producers: UInt64
    var journalGroups: UInt64
    var problemCount: UInt64
    /// In words: the first hundred.
    var problems: [String]

    var isSound: Bool { problemCount == 0 }
}

/// What a backup is.
struct BackupSummary: Equatable, Sendable {
    /// What it takes on disk, in bytes.
    var diskBytes: UInt64
    /// The epoch of the store that it was made of.
    var epoch: Epoch
}

extension OperatedStore {
    /// Calls `body` with every mailbox, its head and nil, and then with each of its messages, in
    /// order of receiver, sender and sequence. Beside live traffic: what compaction takes away
    /// meanwhile is left out.
    func dump(
        _ body: @Sendable (MailboxID, Head, Message?) throws -> Void
    ) async throws {
        var after: MailboxID?
        repeat {
            let page = try await mailboxes(after: after, limit: 1_000)
            for entry in page.entries { try await dump(entry.mailbox, body) }
            after = page.next
        } while after != nil
    }

    private func dump(
        _ mailbox: MailboxID, _ body: @Sendable (MailboxID, Head, Message?) throws -> Void
    ) async throws {
        let head = try await messages.head(mailbox)
        try body(mailbox, head, nil)
        var after = head.floor
        while after < head.max {
            guard let page = try await page(of: mailbox, after: after, through: head.max) else {
                // Compacted meanwhile: go on above.
                let floor = try await messages.head(mailbox).floor
                guard floor > after else { return }
                after = floor
                continue
            }
            for message in page.messages {
                try body(mailbox, head, message)
                after = message.sequence
            }
            if page.messages.isEmpty { return }
        }
    }

    /// - Returns: nil when what comes behind `after` was removed.
    private func page(
        of mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber
    ) async throws -> FetchResult? {
        do {
            return try await messages.read(
                mailbox, after: after, through: through, limit: .standard)
        } catch {
            guard error.code == .trimmed else { throw error }
            return nil
        }
    }
}
