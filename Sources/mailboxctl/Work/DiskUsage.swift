import Foundation
import Glibc

/// What a directory takes on disk.
enum DiskUsage {
    /// The blocks that the system gave to the files under `path`, in bytes; what is not there
    /// counts nothing.
    static func bytes(of path: String) -> Int64 {
        guard let files = FileManager.default.enumerator(atPath: path) else { return 0 }
        var total: Int64 = 0
        for case let name as String in files {
            var status = stat()
            if lstat(path + "/" + name, &status) == 0 { total += Int64(status.st_blocks) * 512 }
        }
        return total
    }
}

/// A directory that is removed, with all that is in it, when the work in it is done.
enum TemporaryDirectory {
    static func with<Result>(
        in parent: String? = nil, _ body: (String) async throws -> Result
    ) async throws -> Result {
        let parent = parent ?? FileManager.default.temporaryDirectory.path(percentEncoded: false)
        let path = try make(in: parent)
        defer { try? FileManager.default.removeItem(atPath: path) }
        return try await body(path)
    }

    private static func make(in parent: String) throws(Failure) -> String {
        // mkdtemp replaces the six letters.
        let pattern = parent + "/mailboxctl-" + String(repeating: "X", count: 6)
        var template = Array(pattern.utf8CString)
        let made = template.withUnsafeMutableBufferPointer { mkdtemp($0.baseAddress!) != nil }
        guard made else {
            throw .file(parent, doing: "make a temporary directory in", errno: errno)
        }
        return String(decoding: template.dropLast().map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
