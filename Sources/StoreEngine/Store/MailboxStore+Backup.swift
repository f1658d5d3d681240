internal import Glibc
internal import LMDB
public import Mailbox

/// What a backup holds.
public struct BackupReport: Hashable, Sendable {
    /// Its bytes on disk.
    public var bytes: UInt64
    /// The epoch of the store that it was made of. Restoring mints another.
    public var epoch: Epoch
}

extension MailboxStore {
    /// Writes a copy of the store into a directory, beside live traffic.
    ///
    /// The copy holds everything that was durable when the call began. It is restored with
    /// `restore(from:to:)`, and cannot be opened as it is. Blocks; the copy is compacted, so it
    /// needs no more room than the data.
    ///
    /// - Parameter target: a directory that is missing or empty.
    /// - Throws: `invalidArgument`, `storageFull`, `corrupted`, `failed`, `closed`. A backup that
    ///   was cut off has no manifest, and cannot be restored.
    public func backup(to target: String) throws(StoreError) -> BackupReport {
        try whileOpen { () throws(StoreError) in
            try Self.makeEmpty(target)
            try blocking.checkpoint()
            for shard in shards {
                let directory = Self.shardDirectory(target, shard.ordinal)
                try Directory.make(directory)
                try Directory.make("\(directory)/data")
                try onBase { () throws(LMDBError) in
                    try shard.base.environment.copy(to: "\(directory)/data", compacting: true)
                }
                try File("\(directory)/data/data.mdb", flags: O_RDWR).syncAll()
                try Directory.sync("\(directory)/data")
                try Directory.sync(directory)
            }
            var copy = manifest
            copy.kind = .backup
            try copy.write(to: target)
            return BackupReport(bytes: Directory.allottedBytes(target), epoch: epoch)
        }
    }

    /// Makes a store of a backup, with an epoch of its own.
    ///
    /// Clients that know the old store hear `epochChanged`, synchronise again, and drop what they
    /// hold: a restored store may give out numbers that were given out before.
    ///
    /// - Parameters:
    ///   - backup: what `backup(to:)` made; it is only read.
    ///   - path: a directory that is missing or empty.
    ///   - configuration: the new journal's segment size, the data file's map, and the policy that
    ///     the new store remembers; nil takes the backup's.
    /// - Returns: the new store's epoch.
    /// - Throws: `invalidArgument`, `corrupted`, `storageFull`, `failed`.
    @discardableResult
    public static func restore(
        from backup: String, to path: String,
        configuration: StoreConfiguration = StoreConfiguration()
    ) throws(StoreError) -> Epoch {
        try configuration.check()
        guard Directory.kind(backup) == .directory, Manifest.exists(in: backup) else {
            throw .invalidArgument("there is no backup at \(backup)")
        }
        var manifest = try Manifest.read(from: backup)
        guard manifest.kind == .backup else {
            throw .invalidArgument("\(backup) is a store, not a backup; make a backup of it first")
        }
        try makeEmpty(path)
        let lock = try File("\(path)/LOCK", flags: O_RDWR | O_CREAT)
        guard try lock.tryLock() else {
            throw StoreError(code: .locked, message: "somebody is making a store at \(path)")
        }
        // A restore that is cut off leaves this behind, and the directory is then no place for a
        // new, empty store.
        let marker = "\(path)/RESTORING"
        try File(marker, flags: O_RDWR | O_CREAT).syncAll()
        try Directory.sync(path)
        manifest.kind = .store
        manifest.epoch = .mint()
        manifest.identity = .random(in: .min ... .max)
        manifest.retention = configuration.retention ?? manifest.retention
        for ordinal in 0..<manifest.shardCount {
            try restoreShard(ordinal, from: backup, to: path, configuration, manifest)
        }
        try Directory.sync(path)
        do throws(StoreError) { try manifest.write(to: path) } catch {
            // Its name may be there, and not on the disk.
            try? Directory.remove("\(path)/\(Manifest.fileName)")
            throw error
        }
        try Directory.remove(marker)
        return manifest.epoch
    }

    private static func restoreShard(
        _ ordinal: Int, from backup: String, to path: String, _ configuration: StoreConfiguration,
        _ manifest: Manifest
    ) throws(StoreError) {
        let directory = shardDirectory(path, ordinal)
        try Directory.make(directory)
        try Directory.make("\(directory)/data")
        try copyFile(
            "\(shardDirectory(backup, ordinal))/data/data.mdb", to: "\(directory)/data/data.mdb")
        // The map is at least as large as the file; writing needs a little more.
        var roomy = configuration
        let fileBytes = try File("\(directory)/data/data.mdb", flags: O_RDONLY).byteCount()
        roomy.mapBytesInitial = max(configuration.mapBytesInitial, fileBytes + 16 << 20)
        let base = try BaseStore.open("\(directory)/data", configuration: roomy, create: false)
        defer { base.environment.close() }
        // The journal begins anew, so the position in the old one means nothing.
        try onBase { () throws(LMDBError) in
            try base.environment.write { (transaction: inout WriteTransaction) throws(LMDBError) in
                try base.putPosition(.zero, &transaction)
            }
        }
        _ = try FileJournal.create(
            FileJournal.Settings(
                directory: "\(directory)/journal", shard: UInt32(ordinal),
                segmentByteCount: configuration.journalSegmentBytes, identity: manifest.identity,
                faults: nil))
        try Directory.sync("\(directory)/data")
        try Directory.sync(directory)
    }

    private static func copyFile(_ from: String, to: String) throws(StoreError) {
        let source = try File(from, flags: O_RDONLY)
        let target = try File(to, flags: O_RDWR | O_CREAT | O_EXCL)
        var offset = 0
        while true {
            let bytes = try source.read(at: offset, count: 1 << 20)
            if bytes.isEmpty { break }
            try target.write([bytes], at: offset)
            offset += bytes.count
        }
        try target.syncAll()
    }

    private static func makeEmpty(_ path: String) throws(StoreError) {
        if Directory.kind(path) == .missing {
            try Directory.make(path)
            try Directory.sync(parent(of: path))
            return
        }
        guard Directory.kind(path) == .directory else {
            throw .invalidArgument("\(path) is a file; name a directory that is missing or empty")
        }
        if let name = try Directory.list(path).first {
            throw .invalidArgument(
                "\(path) is not empty (it has '\(name)'); name another directory")
        }
    }
}
