internal import Glibc
internal import Mailbox

/// Directories: listed, made, synced, emptied. A new name is on disk only after its directory was
/// synced.
enum Directory {
    /// Whether something is at `path`, and whether that is a directory.
    enum Kind { case missing, directory, other }

    static func kind(_ path: String) -> Kind {
        var status = stat()
        guard unsafe stat(path, &status) == 0 else { return .missing }
        return status.st_mode & S_IFMT == S_IFDIR ? .directory : .other
    }

    /// `mkdir(2)`; nothing happens when the directory is there.
    static func make(_ path: String) throws(StoreError) {
        if unsafe mkdir(path, 0o750) != 0 && errno != EEXIST {
            throw .path("making the directory \(path)", code: errno)
        }
        guard kind(path) == .directory else {
            throw .invalidArgument(
                "\(path) is not a directory; name one that is, or that is not there yet")
        }
    }

    /// The names in a directory, without `.` and `..`, sorted.
    static func list(_ path: String) throws(StoreError) -> [String] {
        guard let handle = unsafe opendir(path) else {
            throw .path("listing \(path)", code: errno)
        }
        defer { unsafe closedir(handle) }
        var names: [String] = []
        while let entry = unsafe readdir(handle) {
            let name = unsafe withUnsafePointer(to: &entry.pointee.d_name) {
                unsafe $0.withMemoryRebound(to: CChar.self, capacity: 256) {
                    unsafe String(cString: $0)
                }
            }
            if name != "." && name != ".." { names.append(name) }
        }
        return names.sorted()
    }

    /// Makes the directory's names durable.
    static func sync(_ path: String) throws(StoreError) {
        if PlantedBug.noDirectorySync.isMade { return }
        try File(path, flags: O_RDONLY | O_DIRECTORY).syncAll()
    }

    /// The same, where that can be done: not in a directory that may not be listed, nor on a file
    /// system that has no such sync or is only read.
    static func syncIfPossible(_ path: String) throws(StoreError) {
        guard let directory = try? File(path, flags: O_RDONLY | O_DIRECTORY) else { return }
        guard fsync(directory.descriptor) == 0 || errno == EINVAL || errno == EROFS else {
            throw .syncFailed(path, code: errno)
        }
    }

    /// `rename(2)`, then the directory's sync.
    static func rename(_ from: String, to: String, in directory: String) throws(StoreError) {
        guard unsafe Glibc.rename("\(directory)/\(from)", "\(directory)/\(to)") == 0 else {
            throw .system("renaming \(directory)/\(from)", code: errno)
        }
        try sync(directory)
    }

    /// Removes a file, or a directory with all below it.
    static func remove(_ path: String) throws(StoreError) {
        if kind(path) == .directory {
            for name in try list(path) { try remove("\(path)/\(name)") }
            guard unsafe rmdir(path) == 0 else { throw .system("removing \(path)", code: errno) }
        } else {
            guard unsafe unlink(path) == 0 || errno == ENOENT else {
                throw .system("removing \(path)", code: errno)
            }
        }
    }

    /// The bytes of all files below a directory, as the file system allots them.
    static func allottedBytes(_ path: String) -> UInt64 {
        var status = stat()
        guard unsafe lstat(path, &status) == 0 else { return 0 }
        guard status.st_mode & S_IFMT == S_IFDIR else { return UInt64(status.st_blocks) * 512 }
        guard let names = try? list(path) else { return 0 }
        return names.reduce(0) { $0 + allottedBytes("\(path)/\($1)") }
    }
}
