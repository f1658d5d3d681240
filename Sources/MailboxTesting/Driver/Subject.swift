public import Mailbox

/// The store that a driver compares with the model, and what can be done to it.
///
/// What is nil cannot be done to this kind of store; such operations are left out.
public struct Subject: Sendable {
    /// The store.
    public var store: any MailboxStorage
    /// The limits, the retention and the clock that the store works with.
    public var configuration: ModelStore.Configuration
    /// The clock behind the configuration's `now`.
    public var clock: ManualClock
    /// Writes what is durable to where it stays.
    public var checkpoint: (@Sendable (any MailboxStorage) async throws -> Void)?
    /// Closes the store and opens it again.
    public var restart: (@Sendable (any MailboxStorage) async throws -> any MailboxStorage)?
    /// Stops the store as a crash would, and opens it again.
    public var crash: (@Sendable (any MailboxStorage) async throws -> any MailboxStorage)?
    /// Backs the store up, and opens the restored backup in its place.
    public var restore: (@Sendable (any MailboxStorage) async throws -> any MailboxStorage)?
    /// True when faults are injected: a call may end with `failed`, and nobody knows whether it
    /// took effect.
    public var mayFail = false
    /// True when reads may end with `failed`, too, until the store is opened again: a data file
    /// whose library could not write its meta page.
    public var readsMayFail = false
    /// Refusals that pass and leave no trace, such as those of injected errors.
    public var passingCodes: Set<StoreError.Code> = []
    /// True when atomic batches to several receivers may be refused as `invalidArgument`.
    public var splitsReceivers = false
    /// An atomic batch that needs more bytes, names and numbers included, may be refused as
    /// `invalidArgument`: a store holds it as a whole somewhere.
    public var atomicBytesMaximum = Int.max
    /// Checks what only this kind of store can check of itself.
    public var verify: (@Sendable (any MailboxStorage) async throws -> Void)?
    /// Clears away.
    public var tearDown: @Sendable (any MailboxStorage) async -> Void = { _ in }

    /// A store to which nothing can be done but its verbs.
    public init(
        store: any MailboxStorage, configuration: ModelStore.Configuration, clock: ManualClock
    ) {
        self.store = store
        self.configuration = configuration
        self.clock = clock
    }
}
