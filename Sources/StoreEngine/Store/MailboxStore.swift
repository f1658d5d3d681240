internal import Glibc
public import Mailbox
internal import Synchronization

/// A store of sequenced mailboxes in a directory: every message that it accepted is there until it
/// is confirmed.
///
/// ```swift
/// let store = try MailboxStore.open(at: "/var/lib/mailboxes")
/// let mailbox = try MailboxID(sender: "alice", receiver: "bob")
/// let answer = try await store.append(Append(mailbox, text: "hello"))  // durable now
/// let page = try store.fetch(mailbox, cursor: .zero, limit: .standard)
/// ```
/// All methods may be called from any task or thread, and run beside each other. Methods of
/// `MailboxStorage` are for tasks; `blocking` has the same for plain threads. Appends suspend until
/// they are durable; everything else answers at once, but for pages of the data file that the
/// operating system must fetch from the disk.
///
/// A store belongs to one process at a time; a second opener gets `locked`.
public final class MailboxStore: MailboxStorage {
    /// The store's directory.
    public let path: String
    /// What the store was opened with.
    public let configuration: StoreConfiguration
    /// The identity of the store's history.
    public let epoch: Epoch
    /// What compaction and checkpoints may remove when no other policy is named: the
    /// configuration's policy, else the one that the store remembers.
    public var retention: RetentionPolicy { manifest.retention }
    let shards: [Shard]
    let manifest: Manifest
    private let lock: Mutex<File?>
    private let closed = Atomic<Bool>(false)
    let watcherCount = Atomic<Int>(0)

    private init(
        path: String, configuration: StoreConfiguration, manifest: Manifest, shards: [Shard],
        lock: File
    ) {
        self.path = path
        self.configuration = configuration
        self.manifest = manifest
        self.epoch = manifest.epoch
        self.shards = shards
        self.lock = Mutex(lock)
    }

    deinit {
        // Dropped without `close`: what was answered is in the journal, and the next open finds it
        // there.
        if !closed.load(ordering: .acquiring) {
            for shard in shards { shard.abandon() }
            releaseLock()
        }
    }

    /// Opens the store in a directory, or creates one there.
    ///
    /// Brings back what a crash left in the journal. Blocks: some hundred thousand messages a
    /// second.
    ///
    /// - Parameters:
    ///   - path: a directory with a store, or one that is missing or empty.
    ///   - configuration: sizes, limits, policies; the shard count counts for a new store only.
    /// - Throws: `invalidArgument` for a path or configuration that cannot be, `locked` when
    ///   somebody has the store open, `corrupted` when its files are damaged or of a newer format,
    ///   `storageFull`, `failed`.
    public static func open(
        at path: String, configuration: StoreConfiguration = StoreConfiguration()
    ) throws(StoreError) -> MailboxStore {
        try configuration.check()
        let wasMissing = Directory.kind(path) == .missing
        if wasMissing {
            guard configuration.mode != .open else {
                throw .invalidArgument("there is no store at \(path): the directory is missing")
            }
            try Directory.make(path)
        }
        guard Directory.kind(path) == .directory else {
            throw .invalidArgument("\(path) is a file; name a directory")
        }
        if wasMissing {
            try Directory.sync(parent(of: path))
        } else {
            // Who made it may have died in front of that.
            try Directory.syncIfPossible(parent(of: path))
        }
        let isNew = !Manifest.exists(in: path)
        if isNew { try checkCreatable(path, configuration) }
        let lock = try File("\(path)/LOCK", flags: O_RDWR | O_CREAT)
        guard try lock.tryLock() else {
            throw StoreError(
                code: .locked,
                message:
                    "another process, or this one, has the store at \(path) open; close it there "
                    + "first"
            )
        }
        // Looked at again under the lock: somebody may have created it meanwhile.
        if !Manifest.exists(in: path) { return try create(path, configuration, lock) }
        guard configuration.mode != .create else {
            throw .invalidArgument(
                "there is a store at \(path) already; open it, or name another directory")
        }
        return try openExisting(path, configuration, lock)
    }

    static func parent(of path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard parts.count > 1 else { return path.hasPrefix("/") ? "/" : "." }
        parts.removeLast()
        return (path.hasPrefix("/") ? "/" : "") + parts.joined(separator: "/")
    }

    /// A directory without a manifest must be empty, but for what a creation that was cut off left.
    private static func checkCreatable(
        _ path: String, _ configuration: StoreConfiguration
    ) throws(StoreError) {
        guard configuration.mode != .open else {
            throw .invalidArgument("there is no store at \(path)")
        }
        let foreign = try Directory.list(path).filter { !isOwn($0) }
        if let name = foreign.first {
            throw .invalidArgument(
                "\(path) holds other files ('\(name)') and no store; name an empty or a new "
                    + "directory"
            )
        }
    }

    private static func isOwn(_ name: String) -> Bool {
        name == "LOCK" || name == Manifest.fileName + ".new" || name.hasPrefix("shard-")
    }

    static func shardDirectory(_ path: String, _ ordinal: Int) -> String {
        let digits = String(ordinal)
        return "\(path)/shard-" + String(repeating: "0", count: max(0, 3 - digits.count)) + digits
    }

    private static func create(
        _ path: String, _ configuration: StoreConfiguration, _ lock: File
    ) throws(StoreError) -> MailboxStore {
        let left = try Directory.list(path).filter { $0.hasPrefix("shard-") }
        // A manifest that was taken back is gone for certain before what it stood for goes.
        if !left.isEmpty { try Directory.sync(path) }
        for name in left { try Directory.remove("\(path)/\(name)") }
        let manifest = Manifest(
            kind: .store, epoch: .mint(), identity: .random(in: .min ... .max),
            shardCount: configuration.shardCount,
            retention: configuration.retention ?? .unacknowledged)
        let shards = try openShards(path, configuration, manifest, create: true)
        do throws(StoreError) {
            try Directory.sync(path)
            try configuration.faults?.reach(.manifestWrite)
            // Until this file is there, there is no store.
            try manifest.write(to: path)
        } catch {
            for shard in shards { shard.abandon() }
            // Its name may be there, and not on the disk: no store, for the next open.
            try? Directory.remove("\(path)/\(Manifest.fileName)")
            throw error
        }
        return MailboxStore(
            path: path, configuration: configuration, manifest: manifest, shards: shards, lock: lock
        )
    }

    private static func openExisting(
        _ path: String, _ configuration: StoreConfiguration, _ lock: File
    ) throws(StoreError) -> MailboxStore {
        // Who created or restored it may have died in front of the last sync of its names.
        try Directory.sync(path)
        var manifest = try Manifest.read(from: path)
        guard manifest.kind == .store else {
            throw .invalidArgument(
                "\(path) is a backup; restore it to another directory, and open that")
        }
        if let retention = configuration.retention, retention != manifest.retention {
            // Before the first checkpoint under it: whoever opens the store next must know.
            manifest.retention = retention
            try configuration.faults?.reach(.manifestWrite)
            try manifest.write(to: path)
        }
        let shards = try openShards(path, configuration, manifest, create: false)
        return MailboxStore(
            path: path, configuration: configuration, manifest: manifest, shards: shards, lock: lock
        )
    }

    private static func openShards(
        _ path: String, _ configuration: StoreConfiguration, _ manifest: Manifest, create: Bool
    ) throws(StoreError) -> [Shard] {
        var shards: [Shard] = []
        var configuration = configuration
        configuration.retention = manifest.retention
        do throws(StoreError) {
            for ordinal in 0..<manifest.shardCount {
                shards.append(
                    try Shard.open(
                        ordinal, at: shardDirectory(path, ordinal), configuration: configuration,
                        manifest: manifest, create: create))
            }
        } catch {
            for shard in shards { shard.abandon() }
            throw error
        }
        return shards
    }

    // MARK: Closing

    /// Commits what waits, writes a last checkpoint, and lets others open the store. Again: does
    /// nothing.
    ///
    /// - Throws: what kept the last checkpoint from being written; nothing that was answered is
    ///   lost by that.
    public func close() throws(StoreError) {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        var failed: StoreError?
        for shard in shards {
            do throws(StoreError) { try shard.close() } catch { failed = failed ?? error }
        }
        releaseLock()
        if let failed { throw failed }
    }

    /// Stops as a crash would: nothing more is written, what waits is refused. For tests.
    package func abandon() {
        guard !closed.exchange(true, ordering: .acquiringAndReleasing) else { return }
        for shard in shards { shard.abandon() }
        releaseLock()
    }

    private func releaseLock() {
        lock.withLock { file in
            file?.unlock()
            file = nil
        }
    }

    /// Runs an operation, unless the store is closed.
    func whileOpen<Result>(
        _ body: () throws(StoreError) -> Result
    ) throws(StoreError) -> Result {
        if closed.load(ordering: .acquiring) { throw .closed() }
        do throws(StoreError) {
            return try body()
        } catch {
            // What fails because the store was closed in the middle of it says so.
            throw closed.load(ordering: .acquiring) ? .closed() : error
        }
    }

    // MARK: Shards

    /// The number of shards that the store was created with.
    public var shardCount: Int { shards.count }

    /// The shard of a receiver's mailboxes: by checksum of its bytes, the same for ever.
    func shard(of receiver: Address) -> Shard { shards[shardNumber(of: receiver)] }

    func shardNumber(of receiver: Address) -> Int {
        if shards.count == 1 { return 0 }
        return Int(checksum(receiver.utf8.span)) % shards.count
    }
}
