import ArgumentParser
import Glibc
import Mailbox
import StoreAPI
import StoreEngine

/// Which store a command is about: a directory, its first argument, or a daemon's.
struct StoreLocation: ParsableArguments {
    @Argument(help: "The store's directory; left out with --connect.", completion: .directory)
    var store: String?

    @OptionGroup(title: "A daemon's store") var connection: ConnectionOptions

    /// The directory, or the daemon's address.
    var name: String { store ?? connection.connect?.target.description ?? "" }

    /// Opens the store that is there or connects to the daemon, calls `body`, and lets go however
    /// that ended.
    ///
    /// - Parameter creation: how a directory's store is made when none is there; nil makes none.
    /// - Throws: `noSuchStore` (exit code 66) when none is there and none is made; `unavailable`
    ///   (exit code 69) when the daemon cannot be reached in time.
    func withStore<Result: Sendable>(
        creating creation: CreationOptions? = nil,
        clock: any MillisecondClock = SystemMillisecondClock(),
        _ body: @escaping @Sendable (any OperatedStore) async throws -> Result
    ) async throws -> Result {
        if let configuration = connection.configuration {
            return try await withStoreClient(configuration) { client in
                try await body(DaemonStore(client: client))
            }
        }
        let path = name
        if let creation {
            return try await creation.withStore(at: path, clock: clock) { store in
                try await body(DirectoryStore(store: store, path: path))
            }
        }
        try Self.checkExisting(path)
        var configuration = StoreConfiguration()
        configuration.mode = .open
        return try await Self.withStore(at: path, configuration) { store in
            try await body(DirectoryStore(store: store, path: path))
        }
    }

    /// Opens or creates a store, calls `body`, and closes the store however that ended.
    static func withStore<Result: Sendable>(
        at path: String, _ configuration: StoreConfiguration,
        _ body: (MailboxStore) async throws -> Result
    ) async throws -> Result {
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let result: Result
        do {
            result = try await body(store)
        } catch {
            // The first error is the one to tell.
            try? store.close()
            throw error
        }
        try store.close()
        return result
    }

    /// Refuses what cannot be a store, with a failure that says why.
    static func checkExisting(
        _ path: String, as what: String = "store"
    ) throws(Failure) {
        var status = stat()
        guard stat(path, &status) == 0 else {
            if errno == ENOENT { throw .noSuchStore(path, what) }
            throw .file(path, doing: "open", errno: errno)
        }
        guard status.st_mode & S_IFMT == S_IFDIR else {
            throw .file(path, doing: "open the \(what)", errno: ENOTDIR)
        }
        guard access(path, R_OK | W_OK | X_OK) == 0 else {
            throw .file(path, doing: "open the \(what)", errno: errno)
        }
        guard !isEmpty(path) else { throw .noSuchStore(path, what) }
    }

    /// Refuses a place where no store can be created, with a failure that says why.
    static func checkCreatable(_ path: String) throws(Failure) {
        var status = stat()
        if stat(path, &status) == 0 {
            if isEmpty(path) {
                guard access(path, R_OK | W_OK | X_OK) == 0 else {
                    throw .file(path, doing: "create a store in", errno: errno)
                }
                return
            }
            return try checkExisting(path)
        }
        guard errno == ENOENT else { throw .file(path, doing: "create", errno: errno) }
        let parent = parentDirectory(of: path)
        guard access(parent, W_OK | X_OK) == 0 else {
            throw .file(parent, doing: "create a store in", errno: errno)
        }
    }

    /// Whether a store is there already.
    static func hasStore(_ path: String) -> Bool {
        access(path + "/STORE", F_OK) == 0
    }

    private static func isEmpty(_ path: String) -> Bool {
        guard let directory = opendir(path) else { return false }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                bytes.prefix { $0 != 0 }.map(\.self)
            }
            if name != Array(".".utf8) && name != Array("..".utf8) { return false }
        }
        return true
    }

    private static func parentDirectory(of path: String) -> String {
        var parts = path.split(separator: "/", omittingEmptySubsequences: true)
        guard !parts.isEmpty else { return path }
        parts.removeLast()
        let parent = parts.joined(separator: "/")
        if path.hasPrefix("/") { return "/" + parent }
        return parent.isEmpty ? "." : parent
    }
}

extension StoreConfiguration {
    /// What the tool creates stores with: they keep every message until `compact` names a policy.
    /// A store that is there keeps to the policy that it remembers.
    static var created: StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.retention = .newest(.max)
        return configuration
    }
}

/// How a store is made when none is there yet.
struct CreationOptions: ParsableArguments {
    @Option(
        help: "Shards of a store that is created, 1 … 64; 1 without it. A store keeps its own.")
    var shards: Int?

    @Option(
        help: "When an append is answered: commit (durable, the default), interval or system.",
        transform: Self.durability(named:))
    var durability: Durability?

    /// - Throws: `ValidationError`: a daemon's store is made and configured by the daemon.
    func check(_ location: StoreLocation) throws {
        guard location.connection.connect == nil || (shards == nil && durability == nil) else {
            throw ValidationError("With --connect the daemon decides on shards and durability.")
        }
    }

    private static func durability(named name: String) throws -> Durability {
        guard let durability = Durability(rawValue: name) else {
            let names = Durability.allCases.map(\.rawValue).joined(separator: ", ")
            throw ValidationError("\(name) is no durability; the levels are \(names).")
        }
        return durability
    }

    /// Opens or creates the store, calls `body`, and closes the store however that ended.
    func withStore<Result: Sendable>(
        at path: String, clock: any MillisecondClock = SystemMillisecondClock(),
        _ body: (MailboxStore) async throws -> Result
    ) async throws -> Result {
        try StoreLocation.checkCreatable(path)
        var configuration =
            StoreLocation.hasStore(path) ? StoreConfiguration() : .created
        configuration.shardCount = shards ?? 1
        configuration.durability = durability ?? .commit
        configuration.clock = clock
        return try await StoreLocation.withStore(at: path, configuration, body)
    }
}

/// How the answer is written.
struct OutputOptions: ParsableArguments {
    @Flag(help: "Answer in JSON, for machines.")
    var json = false
}

/// Which mailbox a command is about. Both are there once the command is settled.
struct MailboxArguments: ParsableArguments {
    @Argument(help: "Who sends: 1 to 64 bytes of UTF-8 without control characters.")
    var sender: String?

    @Argument(help: "Who receives.")
    var receiver: String?

    var mailbox: MailboxID {
        get throws(StoreError) { try MailboxID(sender: sender ?? "", receiver: receiver ?? "") }
    }
}

extension StoreCommand {
    /// Sender and receiver among the arguments behind the store.
    static func mailbox(
        _ names: WritableKeyPath<Self, MailboxArguments>
    ) -> [Position<Self>] {
        [
            Position(argument: names.appending(path: \.sender), name: "SENDER"),
            Position(argument: names.appending(path: \.receiver), name: "RECEIVER"),
        ]
    }
}

/// How much an answer may hold.
struct LimitOptions: ParsableArguments {
    @Option(parsing: .unconditional, help: "At most this many messages.")
    var limit = PageLimit.standard.messages

    @Option(parsing: .unconditional, help: "At most this many body bytes.")
    var limitBytes = PageLimit.standard.bytes

    var page: PageLimit { PageLimit(messages: limit, bytes: limitBytes) }
}
