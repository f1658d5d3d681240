import Glibc

/// A file or a directory, whatever its names: what of it is on the disk for certain.
final class Node {
    let isDirectory: Bool
    /// A file's bytes.
    var durable: [UInt8] = []
    /// A directory's names.
    var durableNames: [String: Node] = [:]
    /// A file's length as the running program sees it.
    var byteCount = 0
    /// A directory's names as the running program sees them.
    var names: [String: Node] = [:]
    /// A sync of a growth failed: the length is only what the page cache says.
    var isLengthDoubtful = false
    /// The sectors that changes under way touch.
    var touchedSectors: Set<Int> = []
    var isBeingCut = false
    /// What the state that is being written has of it.
    var chosen: [Int] = []

    init(isDirectory: Bool) { self.isDirectory = isDirectory }
}

/// The smallest part of a change that a disk writes or does not.
struct Piece {
    enum Change {
        /// Bytes within one sector; where they are in the trace.
        case bytes(Node, offset: Int, source: Range<Int>)
        /// The file has at least this length.
        case length(Node, Int)
        /// The file has this length, and no byte behind.
        case cut(Node, Int)
        /// A directory's name, and what it names from now on.
        case name(Node, String, Node?)
        /// A name moves, in one step.
        case move(Node, String, Node, String, Node)
    }

    let change: Change
    /// The record that it came with.
    let record: Int
    /// Different for every piece of a trace.
    let number: Int
    /// A sync of it failed: it may be on the disk or not, and no later sync says anything about it.
    var isDoubtful = false

    /// What the piece changes, and what a sync of makes it durable.
    var node: Node {
        switch change {
        case .bytes(let node, _, _), .length(let node, _), .cut(let node, _),
            .name(let node, _, _):
            node
        case .move(_, _, let directory, _, _): directory
        }
    }
}

/// The files below one directory while a trace is followed: what is durable, and the pieces of
/// which the disk may have any.
///
/// More than real file systems do: any 512-byte sector that no sync covered may be there or not,
/// whatever was written before or behind it; so may lengths, new names, removals and renamings, of
/// which only the sync of their directory makes an end. A renaming is one step.
final class FileSystemModel {
    static let sectorByteCount = 512

    let root: Node
    /// Where the root was when the trace was made.
    let rootPath: String
    let trace: Trace
    private(set) var pending: [Piece] = []
    /// Rises whenever something became durable.
    private(set) var durableVersion = 0
    private var handles: [Int: (node: Node, flags: Int)] = [:]
    private var pieceCount = 0

    /// - Parameter root: the directory's contents when the trace began, all of them durable.
    init(_ trace: Trace, rootPath: String, root: Node) {
        self.trace = trace
        self.rootPath = rootPath
        self.root = root
    }

    /// Takes in one record.
    ///
    /// - Returns: whether it changed what a cut can leave.
    func apply(_ number: Int) throws(Failure) -> Bool {
        let record = trace.records[number]
        let (piecesBefore, versionBefore) = (pieceCount, durableVersion)
        switch record.kind {
        case .mark, .syncBegin: return false
        case .open: try open(record, number)
        case .write: try write(record, number)
        case .truncate, .allocate:
            let node = try node(of: record)
            if record.kind == .truncate, record.offset < node.byteCount {
                add(.cut(node, record.offset), number)
                node.isBeingCut = true
                node.byteCount = record.offset
            } else if record.offset > node.byteCount {
                add(.length(node, record.offset), number)
                node.byteCount = record.offset
            }
        case .rename:
            let (from, to) = trace.paths(record)
            let (source, sourceName) = try parent(from)
            let (target, targetName) = try parent(to)
            guard let moved = source.names.removeValue(forKey: sourceName) else {
                throw Failure("\(from) is renamed and was never made")
            }
            target.names[targetName] = moved
            add(.move(source, sourceName, target, targetName, moved), number)
        case .link:
            let (from, to) = trace.paths(record)
            let (target, name) = try parent(to)
            target.names[name] = find(from)
            add(.name(target, name, find(from)), number)
        case .unlink, .removeDirectory:
            let (directory, name) = try parent(trace.text(record))
            directory.names[name] = nil
            add(.name(directory, name, nil), number)
        case .makeDirectory:
            let (directory, name) = try parent(trace.text(record))
            let node = Node(isDirectory: true)
            directory.names[name] = node
            add(.name(directory, name, node), number)
        case .syncEnd:
            let node = try node(of: record)
            settle(node, failed: record.result != 0) { $0 < record.offset }
        case .writeSynced:
            settle(try node(of: record), failed: false) { $0 == record.offset }
        }
        return pieceCount != piecesBefore || durableVersion != versionBefore
    }

    private func add(_ change: Piece.Change, _ record: Int) {
        pending.append(Piece(change: change, record: record, number: pieceCount))
        pieceCount += 1
    }

    // MARK: Paths

    private func node(of record: Trace.Record) throws(Failure) -> Node {
        guard let handle = handles[record.handle] else {
            throw Failure("the trace has a handle that was never opened")
        }
        return handle.node
    }

    private func components(_ path: String) -> [Substring] {
        path.dropFirst(rootPath.count).split(separator: "/")
    }

    func find(_ path: String) -> Node? {
        var node = root
        for name in components(path) {
            guard let next = node.names[String(name)] else { return nil }
            node = next
        }
        return node
    }

    private func parent(_ path: String) throws(Failure) -> (Node, String) {
        var parts = components(path)
        guard let name = parts.popLast() else { throw Failure("the root itself was changed") }
        var node = root
        for part in parts {
            guard let next = node.names[String(part)] else {
                throw Failure("\(path) is in a directory that was never made")
            }
            node = next
        }
        return (node, String(name))
    }

    private func open(_ record: Trace.Record, _ number: Int) throws(Failure) {
        let path = trace.text(record)
        if let node = find(path) {
            handles[record.handle] = (node, record.result)
            if Int32(record.result) & O_TRUNC != 0, node.byteCount > 0 {
                add(.cut(node, 0), number)
                node.isBeingCut = true
                node.byteCount = 0
            }
            return
        }
        let (directory, name) = try parent(path)
        let node = Node(isDirectory: false)
        directory.names[name] = node
        handles[record.handle] = (node, record.result)
        add(.name(directory, name, node), number)
    }

    // MARK: Writing

    private func write(_ record: Trace.Record, _ number: Int) throws(Failure) {
        let node = try node(of: record)
        let size = Self.sectorByteCount
        let end = record.offset + record.payload.count
        if end > node.byteCount {
            // The length may be on its way, too.
            let first = (node.byteCount / size + 1) * size
            let middle = (node.byteCount + end) / 2 / size * size
            for length in [first, middle] where length > node.byteCount && length < end {
                add(.length(node, length), number)
            }
            add(.length(node, end), number)
            node.byteCount = end
        } else if node.isLengthDoubtful, end > node.durable.count {
            // A sync covers what it takes to find the bytes that were written, also the same ones.
            add(.length(node, end), number)
        }
        var offset = record.offset
        while offset < end {
            let next = min(end, (offset / size + 1) * size)
            let start = record.payload.lowerBound + offset - record.offset
            let source = start..<start + next - offset
            if !isThere(source, node, at: offset) {
                add(.bytes(node, offset: offset, source: source), number)
                node.touchedSectors.insert(offset / size)
            }
            offset = next
        }
    }

    /// Whether writing these bytes changes nothing: the disk has them, and nothing else is on its
    /// way.
    private func isThere(_ source: Range<Int>, _ node: Node, at offset: Int) -> Bool {
        if node.isBeingCut || node.touchedSectors.contains(offset / Self.sectorByteCount) {
            return false
        }
        return trace.bytes.withUnsafeBytes { trace in
            node.durable.withUnsafeBytes { durable in
                let bytes = UnsafeRawBufferPointer(rebasing: trace[source])
                if offset >= durable.count { return bytes.allSatisfy { $0 == 0 } }
                guard offset + bytes.count <= durable.count else { return false }
                return memcmp(
                    bytes.baseAddress!, durable.baseAddress! + offset, bytes.count) == 0
            }
        }
    }

    // MARK: Syncing

    /// A sync ended: pieces of its node from the records that it covers are on the disk; or a
    /// file's are in doubt for ever, when it failed.
    private func settle(_ node: Node, failed: Bool, covers: (Int) -> Bool) {
        if !failed { endDoubtfulCuts(node, covers) }
        var left: [Piece] = []
        left.reserveCapacity(pending.count)
        var newest: [Int: Int] = [:]
        var newestNames: [String: Int] = [:]
        for piece in pending {
            guard piece.node === node, !piece.isDoubtful, covers(piece.record) else {
                left.append(piece)
                continue
            }
            if failed && node.isDirectory {
                // A file system that cannot write its journal takes no change until it is mounted
                // anew: where it goes on, names are still on their way.
                left.append(piece)
                continue
            }
            if failed {
                var doubtful = piece
                doubtful.isDoubtful = true
                left.append(doubtful)
                if case .length = piece.change { node.isLengthDoubtful = true }
                continue
            }
            makeDurable(piece)
            switch piece.change {
            case .bytes(_, let offset, _): newest[offset / Self.sectorByteCount] = piece.number
            case .name(_, let name, _): newestNames[name] = piece.number
            case .move(let source, let from, _, let to, _):
                newestNames[to] = piece.number
                if source === node { newestNames[from] = piece.number }
            case .length, .cut: break
            }
        }
        durableVersion += 1
        node.touchedSectors = []
        node.isBeingCut = false
        pending = left.filter { piece in
            guard piece.node === node else { return true }
            // What was in doubt of a name or a sector is history when something newer is there.
            switch piece.change {
            case .cut: node.isBeingCut = true
            case .name(_, let name, _), .move(_, _, _, let name, _):
                return piece.number > newestNames[name] ?? -1
            case .bytes(_, let offset, _):
                let sector = offset / Self.sectorByteCount
                guard piece.number > newest[sector] ?? -1 else { return false }
                node.touchedSectors.insert(sector)
            case .length: break
            }
            return true
        }
    }

    /// A length in doubt is history when what was written behind it since is on the disk.
    private func endDoubtfulCuts(_ node: Node, _ covers: (Int) -> Bool) {
        let written = pending.filter { $0.node === node && !$0.isDoubtful && covers($0.record) }
        pending.removeAll { piece in
            guard piece.node === node, piece.isDoubtful, case .cut(_, let count) = piece.change
            else { return false }
            let isOver = written.contains { newer in
                guard newer.number > piece.number else { return false }
                return switch newer.change {
                case .bytes(_, let offset, let source): offset + source.count > count
                case .length(_, let length): length > count
                case .cut, .name, .move: false
                }
            }
            if isOver { makeDurable(piece) }
            return isOver
        }
    }

    private func makeDurable(_ piece: Piece) {
        switch piece.change {
        case .bytes(let node, let offset, let source):
            let end = offset + source.count
            if end > node.durable.count {
                node.durable.append(contentsOf: repeatElement(0, count: end - node.durable.count))
            }
            node.durable.withUnsafeMutableBytes { durable in
                trace.bytes.withUnsafeBytes { trace in
                    UnsafeMutableRawBufferPointer(rebasing: durable[offset..<end])
                        .copyMemory(from: UnsafeRawBufferPointer(rebasing: trace[source]))
                }
            }
        case .length(let node, let count):
            if count > node.durable.count {
                node.durable.append(
                    contentsOf: repeatElement(0, count: count - node.durable.count))
            }
        case .cut(let node, let count):
            node.durable.removeLast(max(0, node.durable.count - count))
        case .name(let directory, let name, let node): directory.durableNames[name] = node
        case .move(let source, let from, let target, let to, let node):
            if source.durableNames[from] === node { source.durableNames[from] = nil }
            target.durableNames[to] = node
        }
    }
}
