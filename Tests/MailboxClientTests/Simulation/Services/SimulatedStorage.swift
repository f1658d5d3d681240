import Mailbox
import MailboxTesting

/// The store, as a process sees it over a network: calls take their time, fail before they are done
/// or after, and find nobody. A process that died meanwhile hears nothing; what it asked for may be
/// done.
///
/// `@unchecked Sendable`: one thread runs a world.
final class SimulatedStorage: MailboxStorage, @unchecked Sendable {
    private let services: ServicesBackend
    /// It holds the storage.
    private weak var process: SimulatedProcess?
    private var world: SimulatedWorld { services.world }
    /// When a receiver's mailboxes were listed last, by the store's clock.
    private(set) var inboxReads: [Address: Int64] = [:]

    init(_ services: ServicesBackend, _ process: SimulatedProcess) {
        self.services = services
        self.process = process
    }

    private func call<Value>(
        _ verb: (ModelStore) async throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        await world.pause(1...6)
        if world.goesWrong(2) { throw Self.unavailable }
        guard services.isStoreUp, process?.isAlive == true || world.random.chance(50) else {
            throw Self.unavailable
        }
        let value = try await verb(services.store)
        await world.pause(1...6)
        if world.goesWrong(2) { throw Self.unknown }
        return value
    }

    private static let unavailable = StoreError(code: .unavailable, message: "no answer")
    private static let unknown = StoreError(code: .unknown, message: "it may have been done")

    var epoch: Epoch {
        get async throws(StoreError) {
            try await call { store throws(StoreError) in try await store.epoch }
        }
    }

    func append(_ append: Append) async throws(StoreError) -> AppendResult {
        try await self.append(batch: [append])[0].get()
    }

    func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        try await call { store throws(StoreError) in
            var outcomes: [Result<AppendResult, StoreError>] = []
            for append in batch {
                outcomes.append(await services.append(append, to: store))
            }
            return outcomes
        }
    }

    func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        try await call { store throws(StoreError) in try await store.append(atomically: batch) }
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await call { store throws(StoreError) in
            try await store.sendState(mailbox, device: device)
        }
    }

    func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await call { store throws(StoreError) in
            try await store.fetch(
                mailbox, cursor: await services.confirmed(mailbox, cursor), limit: limit)
        }
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await call { store throws(StoreError) in
            try await store.read(mailbox, after: after, through: through, limit: limit)
        }
    }

    func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await call { store throws(StoreError) in
            try await store.acknowledge(mailbox, through: cursor)
        }
    }

    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try await call { store throws(StoreError) in try await store.head(mailbox) }
    }

    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try await call { store throws(StoreError) in
            inboxReads[receiver] = world.clock.now()
            return try await store.inbox(receiver, after: after, limit: limit)
        }
    }

    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try await call { store throws(StoreError) in
            try await store.sync(receiver, cursors: cursors, limit: limit)
        }
    }

    func watch(_ receivers: [Address]) async throws(StoreError) -> any AsyncSequence<
        WatchEvent, StoreError
    > & Sendable {
        try await services.store.watch(receivers)
    }

    func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        try await call { store throws(StoreError) in try await store.compact(policy) }
    }
}
