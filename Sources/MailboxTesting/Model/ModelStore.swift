public import Mailbox
internal import Synchronization

/// A store that keeps everything in a dictionary: what the contract says, written plainly.
///
/// The measure for every other `MailboxStorage`: a test gives both the same calls, and compares.
public final class ModelStore: MailboxStorage {
    /// The limits and choices that a store may be configured with.
    public struct Configuration: Sendable {
        /// The largest body in bytes.
        public var messageBytesMaximum = 256 << 10
        /// The most appends in one call.
        public var batchMessagesMaximum = 65_536
        /// The most messages in one answer.
        public var pageMessagesMaximum = 10_000
        /// The most body bytes in one answer.
        public var pageBytesMaximum = 16 << 20
        /// What compaction removes when no policy is named.
        public var retention = RetentionPolicy.unacknowledged
        /// What the answers to appends name.
        public var durability = Durability.commit
        /// Milliseconds since 1970.
        public var now: @Sendable () -> Int64

        /// - Parameter clock: where timestamps come from.
        public init(clock: ManualClock = ManualClock()) {
            now = { clock.now() }
        }
    }

    /// A copy of a store's whole content.
    public struct Backup: Sendable {
        fileprivate let state: ModelState
    }

    private struct Shared: Sendable {
        var model: ModelState
        var isClosed = false
        var watchers: [ObjectIdentifier: ModelWatcher] = [:]
    }

    private let shared: Mutex<Shared>

    /// An empty store.
    public init(epoch: Epoch = .mint(), configuration: Configuration = Configuration()) {
        shared = Mutex(Shared(model: ModelState(epoch: epoch, configuration: configuration)))
    }

    /// A store with the content that a backup had, in a new epoch.
    public init(restoring backup: Backup, epoch: Epoch = .mint()) {
        var model = backup.state
        model.epoch = epoch
        shared = Mutex(Shared(model: model))
    }

    /// A copy of everything, to restore from.
    public func backup() -> Backup {
        shared.withLock { Backup(state: $0.model) }
    }

    /// Every verb is refused with `closed` from here on, and watches end.
    public func close() {
        let watchers = shared.withLock { shared in
            shared.isClosed = true
            return shared.watchers.values
        }
        for watcher in watchers { watcher.end(.failure(.closed())) }
    }

    /// Opens a closed store again: nothing is lost.
    public func reopen() {
        shared.withLock { shared in
            shared.isClosed = false
            shared.watchers = [:]
        }
    }

    /// Makes a mailbox look as if everything through a sequence was stored, confirmed and removed.
    public func seed(_ mailbox: MailboxID, max: SequenceNumber) {
        modify { $0.mailboxes[mailbox] = ModelMailbox(startingAt: max) }
    }

    /// Looks at the content.
    package func inspect<Value: Sendable>(_ body: (ModelState) -> Value) -> Value {
        shared.withLock { body($0.model) }
    }

    /// Changes the content beside the verbs; watchers hear nothing.
    package func modify(_ body: (inout ModelState) -> Void) {
        shared.withLock { body(&$0.model) }
    }

    /// Runs a verb, and tells the watchers which heads it moved.
    private func perform<Value: Sendable>(
        _ verb: (inout ModelState, Int64) throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        try shared.withLock { shared throws(StoreError) in
            guard !shared.isClosed else { throw .closed() }
            let now = shared.model.configuration.now()
            let before = shared.watchers.isEmpty ? [:] : shared.model.mailboxes
            let value = try verb(&shared.model, min(max(0, now), ModelState.timestampMaximum))
            guard !shared.watchers.isEmpty else { return value }
            for (mailbox, state) in shared.model.mailboxes
            where state.head != before[mailbox]?.head {
                for watcher in shared.watchers.values { watcher.post(mailbox, state.head) }
            }
            return value
        }
    }
}

extension ModelStore {
    /// The identity of the store's history.
    public var epoch: Epoch {
        get async throws(StoreError) {
            try perform { state, _ throws(StoreError) in state.epoch }
        }
    }

    /// Stores one message.
    public func append(_ append: Append) async throws(StoreError) -> AppendResult {
        try perform { state, now throws(StoreError) in try state.append(append, now: now) }
    }

    /// Stores many messages, each accepted or refused for itself, in the order given.
    public func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        try perform { state, now throws(StoreError) in
            try state.checkBatch(batch)
            var results: [Result<AppendResult, StoreError>] = []
            for append in batch {
                do throws(StoreError) {
                    results.append(.success(try state.append(append, now: now)))
                } catch {
                    results.append(.failure(error))
                }
            }
            return results
        }
    }

    /// Stores all messages or none.
    public func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        try perform { state, now throws(StoreError) in
            try state.append(atomically: batch, now: now)
        }
    }

    /// The last client sequence of a device in a mailbox.
    public func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try perform { state, _ throws(StoreError) in
            state.mailboxes[mailbox]?.producers[device]?.last ?? 0
        }
    }

    /// Confirms everything through the cursor, and answers what comes after it.
    public func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try perform { state, _ throws(StoreError) in
            try state.fetch(mailbox, cursor: cursor, limit: limit)
        }
    }

    /// Reads without confirming.
    public func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try perform { state, _ throws(StoreError) in
            try state.read(mailbox, after: after, through: through, limit: limit)
        }
    }

    /// Confirms everything through the cursor without reading.
    @discardableResult
    public func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try perform { state, _ throws(StoreError) in
            try state.acknowledge(mailbox, through: cursor)
        }
    }

    /// What the store knows of a mailbox.
    public func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try perform { state, _ throws(StoreError) in state.head(mailbox) }
    }

    /// The receiver's mailboxes in order of sender.
    public func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try perform { state, _ throws(StoreError) in
            try state.inbox(receiver, after: after, limit: limit)
        }
    }

    /// One fetch over all senders.
    public func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try perform { state, _ throws(StoreError) in
            try state.sync(receiver, cursors: cursors, limit: limit)
        }
    }

    /// Removes what the policy allows.
    @discardableResult
    public func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        try perform { state, now throws(StoreError) in
            try state.compact(policy ?? state.configuration.retention, now: now)
        }
    }

    /// Says when heads of these receivers move.
    public func watch(
        _ receivers: [Address]
    ) async throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        let watcher = ModelWatcher(receivers: Set(receivers))
        try shared.withLock { shared throws(StoreError) in
            guard !shared.isClosed else { throw .closed() }
            for receiver in Set(receivers).sorted() {
                for mailbox in shared.model.mailboxes(of: receiver) {
                    let head = shared.model.head(mailbox)
                    if head.waitingCount > 0 { watcher.post(mailbox, head) }
                }
            }
            watcher.postCaughtUp()
            shared.watchers[ObjectIdentifier(watcher)] = watcher
        }
        return ModelWatch(watcher: watcher) { [weak self] in
            self?.shared.withLock { $0.watchers[ObjectIdentifier(watcher)] = nil }
        }
    }
}
