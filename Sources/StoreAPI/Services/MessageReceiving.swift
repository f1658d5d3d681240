public import Mailbox

/// What RecvSrv does for whoever receives on behalf of a device.
///
/// The caller answers for it that the mailbox's receiver is the account that a token named: neither
/// RecvSrv nor the store knows accounts.
///
/// **What an error means.** `epochChanged`, `cursorAhead`, `trimmed`, `invalidArgument`: nothing
/// was acknowledged; the device must correct what it asks. `unavailable`, `closed`, `overloaded`,
/// `failed`: no answer; an acknowledgement may have been taken. Asking the same again does no harm.
public protocol MessageReceiving: Sendable {
    /// The identity of the store's history.
    ///
    /// - Throws: `unavailable`, `closed`.
    var epoch: Epoch { get async throws(StoreError) }

    /// Confirms everything through the cursor, and answers what comes after it.
    ///
    /// - Throws: as the protocol says.
    func fetch(_ mailbox: MailboxID, cursor: Cursor, limit: PageLimit) async throws(StoreError)
        -> FetchResult

    /// One fetch over all senders: confirms each cursor given, and answers every mailbox that has
    /// something waiting. At most 10 000 cursors.
    ///
    /// - Throws: as the protocol says, naming the mailbox; then nothing at all was acknowledged.
    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult

    /// Confirms everything through the cursor without reading, and answers the head.
    ///
    /// - Throws: as the protocol says.
    @discardableResult
    func acknowledge(_ mailbox: MailboxID, through cursor: Cursor) async throws(StoreError) -> Head

    /// The receiver's mailboxes in order of sender, those above `after`, at most `limit` (1 … 10
    /// 000).
    ///
    /// - Throws: as the protocol says.
    func inbox(_ receiver: Address, after: Address?, limit: Int) async throws(StoreError)
        -> InboxPage

    /// What the store knows of a mailbox; `Head.empty` when nobody wrote to it.
    ///
    /// - Throws: as the protocol says.
    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head

    /// Reads without confirming: sequences above `after`, up to and with `through` (all when nil).
    ///
    /// - Throws: as the protocol says.
    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult
}
