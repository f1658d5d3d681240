internal import Foundation
internal import GRPCCore
internal import GRPCNIOTransportHTTP2
public import Mailbox

extension StoreClient {
    /// Copies the server's store into a directory of this machine, beside live traffic.
    ///
    /// The copy is restored with `MailboxStore.restore(from:to:)`. One that was cut off is removed.
    ///
    /// - Parameters:
    ///   - path: a directory that is missing or empty.
    ///   - progress: called now and then with the bytes that came.
    /// - Throws: `invalidArgument` when the directory is not empty; `failed` when it cannot be
    ///   written; what a store throws; `unavailable`; `unknown` when the connection was lost.
    public func backup(
        to path: String, progress: (@Sendable (UInt64) -> Void)? = nil
    ) async throws(StoreError) -> ServerBackupReport {
        let writer = try BackupWriter(path)
        return try await longCall { options in
            try await self.adminService.backup(.init(), options: options) { response in
                var writer = writer
                do {
                    for try await message in response.messages {
                        switch message.part {
                        case .chunk(let chunk):
                            try writer.write(chunk)
                            progress?(writer.bytes)
                        case .summary(let summary): return try writer.finish(summary)
                        case nil: continue
                        }
                    }
                    throw StoreError.missing("summary")
                } catch {
                    writer.discard()
                    throw error
                }
            }
        }
    }
}

/// Writes the files of a backup as their pieces come.
struct BackupWriter: Sendable {
    private let directory: URL
    private var current: (path: String, handle: FileHandle, bytes: UInt64)?
    private var paths: [String] = []
    private(set) var bytes: UInt64 = 0

    /// - Throws: `invalidArgument` when the directory has something in it, `failed`.
    init(_ path: String) throws(StoreError) {
        directory = URL(fileURLWithPath: path, isDirectory: true)
        let found = try? FileManager.default.contentsOfDirectory(atPath: path)
        guard found?.isEmpty ?? !FileManager.default.fileExists(atPath: path) else {
            throw .invalidArgument("\(path) is not an empty directory")
        }
        do {
            try FileManager.default.createDirectory(
                at: directory, withIntermediateDirectories: true)
        } catch {
            throw StoreError(code: .failed, message: "\(path) cannot be made", cause: error)
        }
    }

    mutating func write(_ chunk: Mailbox_Store_V1_BackupResponse.Chunk) throws {
        if current?.path != chunk.path { try begin(chunk.path) }
        guard let file = current, chunk.offset == file.bytes else {
            throw StoreError.invalidArgument("chunk.offset does not follow the last")
        }
        try file.handle.write(contentsOf: chunk.data)
        current?.bytes += UInt64(chunk.data.count)
        bytes += UInt64(chunk.data.count)
    }

    private mutating func begin(_ path: String) throws {
        try close()
        let parts = path.split(separator: "/", omittingEmptySubsequences: false)
        guard !paths.contains(path),
            parts.allSatisfy({ !$0.isEmpty && $0 != "." && $0 != ".." && !$0.contains("\0") })
        else { throw StoreError.invalidArgument("chunk.path leads out of the backup") }
        let url = directory.appendingPathComponent(path)
        try FileManager.default.createDirectory(
            at: url.deletingLastPathComponent(), withIntermediateDirectories: true)
        guard FileManager.default.createFile(atPath: url.path, contents: nil) else {
            throw StoreError(code: .failed, message: "\(url.path) cannot be made")
        }
        current = (path, try FileHandle(forWritingTo: url), 0)
        paths.append(path)
    }

    private mutating func close() throws {
        try current?.handle.synchronize()
        try current?.handle.close()
        current = nil
    }

    /// The last piece came.
    ///
    /// - Throws: `invalidArgument` when pieces are missing.
    mutating func finish(
        _ summary: Mailbox_Store_V1_BackupResponse.Summary
    ) throws -> ServerBackupReport {
        try close()
        guard summary.bytes == bytes, summary.files == UInt32(paths.count) else {
            throw StoreError.invalidArgument("summary: pieces of the backup are missing")
        }
        return ServerBackupReport(
            bytes: bytes, epoch: try Epoch(wire: summary.epoch), files: paths.count)
    }

    /// Removes what was written.
    mutating func discard() {
        try? current?.handle.close()
        current = nil
        for path in paths {
            try? FileManager.default.removeItem(at: directory.appendingPathComponent(path))
        }
    }
}
