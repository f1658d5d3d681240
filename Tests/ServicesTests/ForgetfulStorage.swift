import Mailbox
import MailboxTesting
import Synchronization

/// A storage that stores every batch and forgets to answer some, as a connection does that is cut
/// behind the commit; or that takes none before it may.
final class ForgetfulStorage: MailboxStorage {
    private let base: ModelStore
    private let every: Int
    private let begin: AsyncStream<Void>?
    private let counts = Mutex((batches: 0, lost: 0))
    private let heads = Mutex((failing: 0, asked: 0))

    /// - Parameters:
    ///   - every: of so many answers the last is lost.
    ///   - begin: batches wait for its end, one after the other.
    init(_ base: ModelStore, every: Int = .max, begin: AsyncStream<Void>? = nil) {
        self.base = base
        self.every = every
        self.begin = begin
    }

    /// Answers that were lost.
    var lost: Int { counts.withLock { $0.lost } }

    var epoch: Epoch { get async throws(StoreError) { try await base.epoch } }

    func append(_ append: Append) async throws(StoreError) -> AppendResult {
        try await base.append(append)
    }

    func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        if let begin { for await _ in begin {} }
        let outcomes = try await base.append(batch: batch)
        let isLost = counts.withLock { counts in
            counts.batches += 1
            guard counts.batches % every == 0 else { return false }
            counts.lost += 1
            return true
        }
        guard !isLost else { throw StoreError(code: .unknown, message: "the answer was lost") }
        return outcomes
    }

    func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        try await base.append(atomically: batch)
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await base.sendState(mailbox, device: device)
    }

    func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await base.fetch(mailbox, cursor: cursor, limit: limit)
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await base.read(mailbox, after: after, through: through, limit: limit)
    }

    func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await base.acknowledge(mailbox, through: cursor)
    }

    /// So many heads are not told.
    func failHeads(_ count: Int) { heads.withLock { $0.failing = count } }

    /// How many heads were asked for.
    var headCount: Int { heads.withLock { $0.asked } }

    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        let fails = heads.withLock { heads in
            heads.asked += 1
            heads.failing -= 1
            return heads.failing >= 0
        }
        guard !fails else { throw StoreError(code: .unavailable, message: "nobody answers") }
        return try await base.head(mailbox)
    }

    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try await base.inbox(receiver, after: after, limit: limit)
    }

    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try await base.sync(receiver, cursors: cursors, limit: limit)
    }

    func watch(
        _ receivers: [Address]
    ) async throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        try await base.watch(receivers)
    }

    func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        try await base.compact(policy)
    }
}
