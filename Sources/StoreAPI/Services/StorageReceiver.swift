public import Mailbox

/// RecvSrv in the caller's own process: the storage's verbs as they are.
public struct StorageReceiver: MessageReceiving {
    private let storage: any MailboxStorage

    /// - Parameter storage: an engine in this process, or the client of a store's server.
    public init(_ storage: any MailboxStorage) { self.storage = storage }

    /// The storage's epoch.
    public var epoch: Epoch {
        get async throws(StoreError) { try await storage.epoch }
    }

    /// The storage's `fetch`.
    public func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await storage.fetch(mailbox, cursor: cursor, limit: limit)
    }

    /// The storage's `sync`.
    public func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try await storage.sync(receiver, cursors: cursors, limit: limit)
    }

    /// The storage's `acknowledge`.
    @discardableResult
    public func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await storage.acknowledge(mailbox, through: cursor)
    }

    /// The storage's `inbox`.
    public func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try await storage.inbox(receiver, after: after, limit: limit)
    }

    /// The storage's `head`.
    public func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try await storage.head(mailbox)
    }

    /// The storage's `read`.
    public func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await storage.read(mailbox, after: after, through: through, limit: limit)
    }
}
