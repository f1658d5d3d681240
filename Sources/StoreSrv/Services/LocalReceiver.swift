public import Mailbox
public import StoreAPI
public import StoreEngine

/// RecvSrv over an engine in its own process: reads run on threads of their own, because one that
/// meets a page which is not in memory stops its thread.
public final class LocalReceiver: MessageReceiving, Sendable {
    private let store: MailboxStore
    private let reads: BlockingPool
    private let activity: StoreActivity?

    /// - Parameters:
    ///   - store: an open store.
    ///   - threads: reads that may wait for the disk.
    ///   - queueMaximum: reads that wait for a thread; above it they get `overloaded`.
    ///   - activity: what counts fetches and syncs; nil counts none.
    /// - Throws: `failed` when the system has no threads to give.
    public init(
        _ store: MailboxStore, threads: Int, queueMaximum: Int, activity: StoreActivity? = nil
    ) throws(StoreError) {
        self.store = store
        self.activity = activity
        reads = try BlockingPool(threadCount: threads, queueMaximum: queueMaximum)
    }

    /// Ends the threads when what waits is done. Nothing may be asked afterwards.
    public func close() { reads.close(waiting: true) }

    /// The identity of the store's history.
    public var epoch: Epoch {
        get async throws(StoreError) { store.epoch }
    }

    /// The store's `fetch`.
    public func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        let started = ContinuousClock.now
        let store = store
        let result = try await reads.run { () throws(StoreError) in
            try store.fetch(mailbox, cursor: cursor, limit: limit)
        }
        activity?.fetched(
            result.messages.count, bytes: result.messages.bodyBytes, took: .now - started)
        return result
    }

    /// The store's `sync`.
    public func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        let started = ContinuousClock.now
        let store = store
        let result = try await reads.run { () throws(StoreError) in
            try store.sync(receiver, cursors: cursors, limit: limit)
        }
        let batches = result.entries.map(\.result.messages)
        activity?.fetched(
            batches.reduce(0) { $0 + $1.count }, bytes: batches.reduce(0) { $0 + $1.bodyBytes },
            took: .now - started)
        return result
    }

    /// The store's `acknowledge`.
    @discardableResult
    public func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        let store = store
        return try await reads.run { () throws(StoreError) in
            try store.acknowledge(mailbox, through: cursor)
        }
    }

    /// The store's `inbox`.
    public func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        let store = store
        return try await reads.run { () throws(StoreError) in
            try store.inbox(receiver, after: after, limit: limit)
        }
    }

    /// The store's `head`.
    public func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        let store = store
        return try await reads.run { () throws(StoreError) in try store.head(mailbox) }
    }

    /// The store's `read`.
    public func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        let store = store
        return try await reads.run { () throws(StoreError) in
            try store.read(mailbox, after: after, through: through, limit: limit)
        }
    }
}
