internal import Foundation

/// A directory for one program's files: in `MAILBOX_FUZZ_DIRECTORY`, else in memory where that is
/// possible. Removed at the program's end; after a crash whoever named the directory removes it.
public enum ScratchDirectory {
    /// Made at the first use.
    public static let path: String = {
        let manager = FileManager.default
        let root =
            ProcessInfo.processInfo.environment["MAILBOX_FUZZ_DIRECTORY"]
            ?? (manager.isWritableFile(atPath: "/dev/shm") ? "/dev/shm" : NSTemporaryDirectory())
        let path = "\(root)/mailbox-fuzz-\(ProcessInfo.processInfo.processIdentifier)"
        try? manager.removeItem(atPath: path)
        do {
            try manager.createDirectory(atPath: path, withIntermediateDirectories: true)
        } catch {
            violation("\(path) cannot be made: \(error)")
        }
        atexit {
            try? FileManager.default.removeItem(atPath: ScratchDirectory.path)
        }
        return path
    }()

    /// A fresh empty directory of this name.
    public static func fresh(_ name: String) throws -> String {
        let path = "\(path)/\(name)"
        try? FileManager.default.removeItem(atPath: path)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        return path
    }

    /// Writes a file whole.
    public static func write(_ bytes: [UInt8], to path: String) throws {
        try Data(bytes).write(to: URL(fileURLWithPath: path))
    }
}
