import Mailbox
import StoreEngine

/// The engine with one thing at a time: whatever a call sets going has ended when it answers, so
/// that a seed repeats the order of everything.
struct SimulatedStorage: MailboxStorage {
    let store: MailboxStore
    let order: CallOrder
    /// Behind every call that writes.
    let settled: @Sendable () -> Void

    private func settling<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        defer {
            store.settle()
            settled()
        }
        return try body()
    }

    private func confirming<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        try settling { () throws(StoreError) in try order.holdingCheckpoints(body) }
    }

    var epoch: Epoch { get async throws(StoreError) { store.epoch } }

    func append(_ append: Append) async throws(StoreError) -> AppendResult {
        try settling { () throws(StoreError) in try store.blocking.append(append) }
    }

    func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        try settling { () throws(StoreError) in try store.blocking.append(batch: batch) }
    }

    func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        try settling { () throws(StoreError) in try store.blocking.append(atomically: batch) }
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try store.sendState(mailbox, device: device)
    }

    func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try confirming { () throws(StoreError) in
            try store.fetch(mailbox, cursor: cursor, limit: limit)
        }
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try store.read(mailbox, after: after, through: through, limit: limit)
    }

    @discardableResult
    func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try confirming { () throws(StoreError) in try store.acknowledge(mailbox, through: cursor) }
    }

    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head { try store.head(mailbox) }

    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try store.inbox(receiver, after: after, limit: limit)
    }

    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try confirming { () throws(StoreError) in
            try store.sync(receiver, cursors: cursors, limit: limit)
        }
    }

    func watch(
        _ receivers: [Address]
    ) async throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        try store.watch(receivers)
    }

    @discardableResult
    func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        try settling { () throws(StoreError) in try store.blocking.compact(policy) }
    }
}

/// Who goes first where a call and the checkpoint that it set going would meet: a confirmation asks
/// for one, and a read follows in the same call. Which pages LMDB takes beside that read would be
/// the machine's to say.
struct CallOrder {
    private let isHeld = Monitor(false)

    /// Those of the store's configuration.
    var hooks: FaultHooks {
        FaultHooks { [isHeld] point in
            if point == .checkpointBegin { isHeld.wait { $0 ? nil : true } }
            return nil
        }
    }

    /// Runs a call that waits for no checkpoint; those that it asks for begin when it has ended.
    func holdingCheckpoints<Value>(
        _ body: () throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        isHeld.withLock { $0 = true }
        defer { isHeld.change { $0 = false } }
        return try body()
    }
}
