public import Mailbox

/// RecvSrv behind a network: fetches of all tasks share frames; other calls go one by one. All are
/// made again when their answer is lost, which does no harm.
public final class RecvClient: MessageReceiving, Sendable {
    private let client: StoreClient

    /// A client that connects when `run` is called.
    ///
    /// - Throws: `invalidArgument` when the target or the TLS files are none.
    public init(_ configuration: StoreClientConfiguration) throws(StoreError) {
        client = try StoreClient(configuration, routes: .receive)
    }

    /// Keeps the connection until `close` is called, or the task is cancelled; once.
    public func run() async throws { try await client.run() }

    /// Takes no more calls, and lets `run` return when those that wait are answered.
    public func close() { client.close() }

    /// The identity of the store's history, asked for anew.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    public var epoch: Epoch {
        get async throws(StoreError) { try await client.epoch }
    }

    /// Confirms everything through the cursor, and answers what comes after it.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    public func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await client.fetch(mailbox, cursor: cursor, limit: limit)
    }

    /// One fetch over all senders.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    public func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try await client.sync(receiver, cursors: cursors, limit: limit)
    }

    /// Confirms everything through the cursor without reading.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    @discardableResult
    public func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await client.acknowledge(mailbox, through: cursor)
    }

    /// The receiver's mailboxes in order of sender.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    public func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try await client.inbox(receiver, after: after, limit: limit)
    }

    /// What the store knows of a mailbox.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    public func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try await client.head(mailbox)
    }

    /// Reads without confirming.
    ///
    /// - Throws: as ``MessageReceiving`` says.
    public func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await client.read(mailbox, after: after, through: through, limit: limit)
    }
}
