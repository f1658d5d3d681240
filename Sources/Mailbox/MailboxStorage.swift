/// The verbs of the contract, whoever keeps the messages: an engine in this process, one behind a
/// network, a model.
public protocol MailboxStorage: Sendable {
    /// The identity of the store's history.
    var epoch: Epoch { get async throws(StoreError) }

    /// Stores one message, and answers when it is durable.
    ///
    /// - Throws: `invalidArgument`, `messageTooLarge`, `producerGap`, `producerConflict`,
    ///   `sequenceExhausted`, `overloaded`, `storageFull`, `failed`, `closed`.
    func append(_ append: Append) async throws(StoreError) -> AppendResult

    /// Stores many messages in one group, each accepted or refused for itself, in the order given.
    ///
    /// - Returns: one answer for each append, in their order.
    /// - Throws: what concerns the whole call: `overloaded`, `storageFull`, `failed`, `closed`,
    ///   `invalidArgument`.
    func append(batch: [Append]) async throws(StoreError) -> [Result<AppendResult, StoreError>]

    /// Stores all messages or none. In an engine with several shards all receivers must share one
    /// shard.
    ///
    /// - Throws: the first refusal, naming its mailbox; then nothing was stored.
    func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult]

    /// The last client sequence of `device` that was stored in `mailbox`, 0 when none was.
    func sendState(_ mailbox: MailboxID, device: DeviceID) async throws(StoreError)
        -> ClientSequence

    /// Confirms everything through the cursor, and answers what comes after it.
    ///
    /// - Throws: `epochChanged`, `cursorAhead`, `invalidArgument`; then nothing was acknowledged.
    func fetch(_ mailbox: MailboxID, cursor: Cursor, limit: PageLimit) async throws(StoreError)
        -> FetchResult

    /// Reads without confirming: sequences above `after`, up to and with `through` (all when nil).
    ///
    /// - Throws: `trimmed(floor)` when `after` is below the floor, `invalidArgument`.
    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult

    /// Confirms everything through the cursor without reading, and answers the head.
    ///
    /// - Throws: `epochChanged`, `cursorAhead`; then nothing was acknowledged.
    @discardableResult
    func acknowledge(_ mailbox: MailboxID, through cursor: Cursor) async throws(StoreError) -> Head

    /// What the store knows of a mailbox; `Head.empty` when nobody wrote to it.
    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head

    /// The receiver's mailboxes in order of sender, those above `after`, at most `limit` (1 … 10
    /// 000).
    func inbox(_ receiver: Address, after: Address?, limit: Int) async throws(StoreError)
        -> InboxPage

    /// One fetch over all senders: confirms each cursor given, and answers every mailbox that has
    /// something waiting.
    ///
    /// Mailboxes without a cursor answer from their acknowledged watermark on. The limit holds for
    /// the whole answer.
    ///
    /// - Parameters:
    ///   - receiver: whose mailboxes.
    ///   - cursors: what the receiver holds of each sender that it knows; at most 10 000.
    ///   - limit: how much the whole answer may hold.
    /// - Throws: `epochChanged`, `cursorAhead` naming the mailbox; then nothing at all was
    ///   acknowledged.
    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult

    /// Says when heads of these receivers move: first those with waiting messages, then `caughtUp`,
    /// then live.
    func watch(_ receivers: [Address]) async throws(StoreError) -> any AsyncSequence<
        WatchEvent, StoreError
    > & Sendable

    /// Removes what the policy allows, in small steps beside live traffic; nil takes the store's
    /// own policy.
    @discardableResult
    func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport
}
