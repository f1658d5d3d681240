import Glibc

/// A directory that is made to look as a disk could after a cut, again and again.
///
/// Files that are there already keep their pages: writing a state is a few copies in memory.
final class StateDirectory {
    let path: String
    private let staging: UnsafeMutableRawBufferPointer
    private static let fileBytesMaximum = 16 << 20

    init(path: String) throws(Failure) {
        self.path = path
        staging = .allocate(byteCount: Self.fileBytesMaximum, alignment: 16)
        try Files.makeDirectory(path)
    }

    deinit { staging.deallocate() }

    /// Writes the state that has the durable part of the model, and of what is pending the pieces
    /// that are chosen.
    func write(_ model: FileSystemModel, choosing isChosen: (Int) -> Bool) throws(Failure) {
        var touched: [Node] = []
        for index in model.pending.indices where isChosen(index) {
            let piece = model.pending[index]
            touched.append(piece.node)
            piece.node.chosen.append(index)
            if case .move(let source, _, let target, _, _) = piece.change, source !== target {
                touched.append(source)
                source.chosen.append(index)
            }
        }
        defer { for node in touched { node.chosen = [] } }
        try write(model.root, path, model)
    }

    private func write(
        _ directory: Node, _ path: String, _ model: FileSystemModel
    ) throws(Failure) {
        var names = directory.durableNames
        for index in directory.chosen {
            switch model.pending[index].change {
            case .name(_, let name, let node): names[name] = node
            case .move(let source, let from, let target, let to, let node):
                if source === directory, names[from] === node { names[from] = nil }
                if target === directory { names[to] = node }
            default: break
            }
        }
        for (name, isDirectory) in try Files.list(path)
        where names[name]?.isDirectory != isDirectory {
            try Files.remove("\(path)/\(name)")
        }
        for (name, node) in names {
            if node.isDirectory {
                try Files.makeDirectory("\(path)/\(name)")
                try write(node, "\(path)/\(name)", model)
            } else {
                try writeFile(node, "\(path)/\(name)", model)
            }
        }
    }

    private func writeFile(
        _ node: Node, _ path: String, _ model: FileSystemModel
    ) throws(Failure) {
        var count = node.durable.count
        func grow(to wanted: Int) {
            guard wanted > count else { return }
            memset(staging.baseAddress! + count, 0, wanted - count)
            count = wanted
        }
        if !node.chosen.isEmpty {
            guard max(count, node.byteCount) <= Self.fileBytesMaximum else {
                throw Failure("\(path) is too long for a state")
            }
            node.durable.withUnsafeBytes {
                if count > 0 { memcpy(staging.baseAddress!, $0.baseAddress!, count) }
            }
        }
        for index in node.chosen {
            switch model.pending[index].change {
            case .bytes(_, let offset, let source):
                grow(to: offset + source.count)
                model.trace.bytes.withUnsafeBytes {
                    _ = memcpy(
                        staging.baseAddress! + offset, $0.baseAddress! + source.lowerBound,
                        source.count)
                }
            case .length(_, let length): grow(to: length)
            case .cut(_, let length): count = min(count, length)
            default: break
            }
        }
        if node.chosen.isEmpty {
            try Files.replace(path, node.durable)
        } else {
            try Files.replace(path, UnsafeRawBufferPointer(rebasing: staging[..<count]))
        }
    }
}
