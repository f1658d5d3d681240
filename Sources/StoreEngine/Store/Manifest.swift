internal import Glibc
internal import Mailbox

/// The file `STORE`: what a directory is, written last when a store is created. Text, for people to
/// read.
struct Manifest {
    static let fileName = "STORE"
    static let formatVersion = 2
    /// Stores of version 1 remember no policy: they are opened, and written as version 2 when one
    /// is named.
    private static let versionsRead = 1...2
    private static let firstLine = "mailbox-store"

    /// What the directory holds.
    enum Kind: String {
        case store
        /// Made by `backup`: restored, never opened, since opening it as it is would give numbers
        /// out twice.
        case backup
    }

    var kind: Kind
    var epoch: Epoch
    /// The store's secret: goes into the journal's checksums.
    var identity: UInt64
    var shardCount: Int
    /// What compaction and checkpoints may remove when no other policy is named.
    var retention: RetentionPolicy

    private var text: String {
        """
        \(Self.firstLine) \(Self.formatVersion)
        kind \(kind.rawValue)
        epoch \(epoch)
        identity \(hexadecimal(identity))
        shards \(shardCount)
        retention \(retention.manifestText)

        """
    }

    /// Whether the directory has a manifest.
    static func exists(in directory: String) -> Bool {
        Directory.kind("\(directory)/\(fileName)") != .missing
    }

    /// Writes the manifest under another name, then renames it: it is there as a whole or not at
    /// all.
    func write(to directory: String) throws(StoreError) {
        var bytes = Array(text.utf8)
        let line = "checksum \(hexadecimal(UInt64(checksum(bytes.span))))\n"
        bytes.append(contentsOf: line.utf8)
        let name = Self.fileName + ".new"
        let file = try File("\(directory)/\(name)", flags: O_RDWR | O_CREAT | O_TRUNC)
        try file.write([bytes], at: 0)
        try file.syncAll()
        try Directory.rename(name, to: Self.fileName, in: directory)
    }

    /// - Throws: `corrupted` when it is damaged or of a newer format.
    static func read(from directory: String) throws(StoreError) -> Manifest {
        let path = "\(directory)/\(fileName)"
        let file = try File(path, flags: O_RDONLY)
        let bytes = try file.read(at: 0, count: min(try file.byteCount(), 4_096))
        let text = String(decoding: bytes, as: UTF8.self)
        let lines = text.split(separator: "\n").map { $0.split(separator: " ").map(String.init) }
        guard let first = lines.first, first.count == 2, first[0] == firstLine else {
            throw .corrupted("\(path) is no store's manifest; restore the store from a backup")
        }
        guard let version = Int(first[1]), versionsRead.contains(version) else {
            throw .corrupted(
                "\(path) has format \(first[1]); this program reads 1 to \(formatVersion): use the "
                    + "program that "
                    + "wrote it, or a newer one")
        }
        guard let end = text.offset(ofLast: "checksum "), lines.last?.first == "checksum",
            let stated = lines.last?.last.flatMap({ UInt64($0, radix: 16) }),
            UInt64(checksum(Array(text.utf8.prefix(end)).span)) == stated
        else { throw .corrupted("\(path) is damaged; restore the store from a backup") }
        func value(_ name: String) -> String? {
            lines.first { $0.count == 2 && $0[0] == name }?[1]
        }
        let remembered = lines.first { $0.first == "retention" }
            .flatMap { RetentionPolicy(manifestWords: $0.dropFirst()) }
        guard let kind = value("kind").flatMap(Kind.init(rawValue:)),
            let epoch = value("epoch").flatMap({ UInt64($0, radix: 16) }).flatMap(
                Epoch.init(rawValue:)),
            let identity = value("identity").flatMap({ UInt64($0, radix: 16) }),
            let shardCount = value("shards").flatMap({ Int($0) }), (1...64).contains(shardCount),
            let retention = version == 1 ? .unacknowledged : remembered
        else { throw .corrupted("\(path) lacks a value; restore the store from a backup") }
        return Manifest(
            kind: kind, epoch: epoch, identity: identity, shardCount: shardCount,
            retention: retention)
    }
}

extension RetentionPolicy {
    /// How the manifest says it.
    fileprivate var manifestText: String {
        switch self {
        case .unacknowledged: "unacknowledged"
        case .acknowledged(let milliseconds): "acknowledged \(milliseconds)"
        case .newest(let count): "newest \(count)"
        }
    }

    /// - Returns: nil for what no manifest says.
    fileprivate init?(manifestWords words: ArraySlice<String>) {
        switch (words.first, words.count) {
        case ("unacknowledged", 1): self = .unacknowledged
        case ("acknowledged", 2):
            guard let milliseconds = words.last.flatMap({ Int64($0) }), milliseconds >= 0 else {
                return nil
            }
            self = .acknowledged(forMilliseconds: milliseconds)
        case ("newest", 2):
            guard let count = words.last.flatMap({ UInt32($0) }) else { return nil }
            self = .newest(count)
        default: return nil
        }
    }
}

/// Sixteen hexadecimal digits.
private func hexadecimal(_ value: UInt64) -> String {
    let digits = String(value, radix: 16)
    return String(repeating: "0", count: 16 - digits.count) + digits
}

extension String {
    /// The number of bytes in front of the last place where `word` stands; nil when it stands
    /// nowhere.
    fileprivate func offset(ofLast word: String) -> Int? {
        let bytes = Array(utf8)
        let wanted = Array(word.utf8)
        guard bytes.count >= wanted.count else { return nil }
        return (0...(bytes.count - wanted.count)).last {
            bytes[$0..<$0 + wanted.count].elementsEqual(wanted)
        }
    }
}
