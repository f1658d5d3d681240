import BareDisk
import CBench
import Glibc

/// A directory for the files of one run, removed when the run is over.
struct Scratch: Sendable {
    private let parent: String
    private let root: String

    /// - Throws: when the directory cannot be made, or its file system is memory (a sync costs
    /// nothing there).
    init(in directory: String) throws(BenchError) {
        guard !bare_disk_is_memory(directory) else {
            throw BenchError(
                "\(directory) is on a file system in memory, where a sync costs nothing; "
                    + "name a directory on a disk with --directory")
        }
        parent = directory + "/.bench-tmp"
        root = parent + "/\(getpid())"
        for path in [parent, root] where mkdir(path, 0o755) != 0 && errno != EEXIST {
            throw BenchError("cannot make \(path): \(systemError())")
        }
        Self.removeOrphans(in: parent)
    }

    /// Removes what runs left that were killed: each directory is named after its process.
    private static func removeOrphans(in parent: String) {
        guard let directory = opendir(parent) else { return }
        defer { closedir(directory) }
        while let entry = readdir(directory) {
            let name = withUnsafeBytes(of: entry.pointee.d_name) { bytes in
                String(decoding: bytes.prefix { $0 != 0 }, as: UTF8.self)
            }
            guard let process = pid_t(name), kill(process, 0) != 0, errno == ESRCH else { continue }
            _ = bench_remove(parent + "/" + name)
        }
    }

    /// Runs `body` with an empty directory of its own, after everything written before has settled.
    func with<Answer>(_ name: String, _ body: (String) throws -> Answer) throws -> Answer {
        let path = try make(name)
        defer { _ = bench_remove(path) }
        return try body(path)
    }

    /// The same for a body that suspends.
    func with<Answer>(
        _ name: String, _ body: (String) async throws -> Answer
    ) async throws -> Answer {
        let path = try make(name)
        defer { _ = bench_remove(path) }
        return try await body(path)
    }

    private func make(_ name: String) throws(BenchError) -> String {
        let path = root + "/" + name
        guard bench_remove(path), mkdir(path, 0o755) == 0, bench_settle(path) else {
            throw BenchError("cannot make \(path): \(systemError())")
        }
        return path
    }

    /// Removes what is left, and the parent when no other run is in it.
    func removeAll() {
        _ = bench_remove(root)
        rmdir(parent)
    }
}

func systemError() -> String { String(cString: strerror(errno)) }

/// Says on standard error what is going on.
func progress(_ text: String) { complain("  " + text) }

/// A line on standard error.
func complain(_ text: String) {
    let line = Array((text + "\n").utf8)
    _ = write(STDERR_FILENO, line, line.count)
}

/// Seconds that this process's threads have computed, in the kernel and outside.
func processorSeconds() -> Double {
    var time = timespec()
    clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
    return Double(time.tv_sec) + Double(time.tv_nsec) * 1e-9
}

/// Anonymous memory that this process has in RAM; the pages of mapped files are the page cache's.
func anonymousBytes() -> Int {
    field("RssAnon:", in: "/proc/self/status").map { $0 * 1_024 } ?? 0
}

private func field(_ name: String, in path: String) -> Int? {
    guard let file = fopen(path, "r") else { return nil }
    defer { fclose(file) }
    var line = [CChar](repeating: 0, count: 256)
    while fgets(&line, Int32(line.count), file) != nil {
        let text = String(
            decoding: line.prefix { $0 != 0 }.map(UInt8.init(bitPattern:)), as: UTF8.self)
        guard text.hasPrefix(name) else { continue }
        return text.split(whereSeparator: { !$0.isNumber }).first.flatMap { Int($0) }
    }
    return nil
}
