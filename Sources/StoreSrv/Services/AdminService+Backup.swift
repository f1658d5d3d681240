internal import Foundation
internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

extension AdminService {
    /// Makes a copy beside the store, sends it in pieces, and removes it. One at a time.
    @Sendable
    func backup(
        _ request: Wire.AdminService.Method.Backup.Input,
        _ answers: RPCWriter<Wire.AdminService.Method.Backup.Output>
    ) async throws {
        try backingUp.take()
        defer { backingUp.give() }
        let copy = BackupCopy(of: core.store)
        defer { copy.remove() }
        let report = try await core.maintenance.run { () throws(StoreError) in try copy.make() }
        try await endingWithCall { [core] in
            var bytes: UInt64 = 0
            let files = try reading { try copy.files() }
            for file in files {
                let handle = try reading { try FileHandle(forReadingFrom: copy.url(of: file)) }
                defer { try? handle.close() }
                var offset: UInt64 = 0
                while let data = try await nextPiece(of: handle, core.maintenance) {
                    let start = offset
                    try await answers.write(
                        .with {
                            $0.chunk.path = file
                            $0.chunk.offset = start
                            $0.chunk.data = data
                        })
                    offset += UInt64(data.count)
                }
                bytes += offset
            }
            let total = bytes
            try await answers.write(
                .with {
                    $0.summary.bytes = total
                    $0.summary.epoch = report.epoch.rawValue
                    $0.summary.files = UInt32(clamping: files.count)
                })
        }
    }
}

private let pieceBytes = 256 << 10

/// - Returns: nil at the end of the file.
private func nextPiece(
    of handle: FileHandle, _ pool: BlockingPool
) async throws(StoreError) -> Data? {
    try await pool.run { () throws(StoreError) in
        let data = try reading { try handle.read(upToCount: pieceBytes) ?? Data() }
        return data.isEmpty ? nil : data
    }
}

/// Says of any error what it was about.
private func reading<Answer>(_ body: () throws -> Answer) throws(StoreError) -> Answer {
    do {
        return try body()
    } catch {
        throw StoreError(
            code: .failed, message: "the backup's copy could not be read", cause: error)
    }
}

/// A copy of the store in a directory within the store's, as long as it is being sent.
struct BackupCopy: Sendable {
    private let store: MailboxStore
    private let path: String

    init(of store: MailboxStore) {
        self.store = store
        path = "\(store.path)/backup-\(UUID().uuidString).tmp"
    }

    /// Makes the copy. Blocks.
    func make() throws(StoreError) -> BackupReport { try store.backup(to: path) }

    /// The paths of its files within it. The file that makes it a backup comes last: what was cut
    /// off can never be taken for a whole one.
    func files() throws -> [String] {
        let all = try FileManager.default.subpathsOfDirectory(atPath: path).filter { name in
            var isDirectory: ObjCBool = false
            let exists = FileManager.default.fileExists(
                atPath: "\(path)/\(name)", isDirectory: &isDirectory)
            return exists && !isDirectory.boolValue
        }
        return all.sorted { (!$0.contains("/") ? 1 : 0, $0) < (!$1.contains("/") ? 1 : 0, $1) }
    }

    func url(of file: String) -> URL { URL(fileURLWithPath: "\(path)/\(file)") }

    func remove() { try? FileManager.default.removeItem(atPath: path) }

    /// Removes what a process that was killed left behind.
    static func removeLeftovers(in storePath: String) {
        let names = (try? FileManager.default.contentsOfDirectory(atPath: storePath)) ?? []
        for name in names where name.hasPrefix("backup-") && name.hasSuffix(".tmp") {
            try? FileManager.default.removeItem(atPath: "\(storePath)/\(name)")
        }
    }
}
