import Foundation
import GRDB
import Testing

@testable import MailboxClient

/// A directory for one test, removed when the test is done with it.
final class Scratch: Sendable {
    let path: String

    init() throws {
        // As the system itself would write it: what watches files compares paths.
        path =
            URL(filePath: NSTemporaryDirectory()).standardizedFileURL
            .appending(path: "mailbox-client-\(UUID().uuidString)")
            .resolvingSymlinksInPath().path(percentEncoded: false)
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }
}

@Suite("The client's database")
struct DatabaseTests {
    private static func open(_ path: String) throws -> (database: ClientDatabase, device: String) {
        var random = ClientRandom(seed: nil)
        let database = try ClientDatabase(path: path) { random.name() }
        return (database, try database.read { try DeviceTable.current($0).name })
    }

    @Test("Every commit is synced")
    func synchronous() throws {
        let scratch = try Scratch()
        let (database, _) = try Self.open(scratch.file("a.db"))
        #expect(try database.read { try $0.number("PRAGMA synchronous") } == 2)
        let mode = try database.read { try String.fetchOne($0, sql: "PRAGMA journal_mode") }
        #expect(mode == "wal")
        try database.close()
    }

    @Test("A file that is opened again keeps its device's name; a copy takes another one")
    func copied() throws {
        let scratch = try Scratch()
        let (first, name) = try Self.open(scratch.file("a.db"))
        try first.close()
        let (again, same) = try Self.open(scratch.file("a.db"))
        #expect(same == name && !again.wasCopied)
        try again.close()
        // With all that lies beside it.
        for suffix in ["", "-identity"] {
            try FileManager.default.copyItem(
                atPath: scratch.file("a.db") + suffix, toPath: scratch.file("b.db") + suffix)
        }
        let (copy, other) = try Self.open(scratch.file("b.db"))
        #expect(other != name && copy.wasCopied)
        try copy.close()
    }

    @Test("An older copy that is written over the file in place takes another name")
    func overwritten() throws {
        let scratch = try Scratch()
        let (first, name) = try Self.open(scratch.file("a.db"))
        try first.close()
        let old = try Data(contentsOf: URL(fileURLWithPath: scratch.file("a.db")))
        let (second, _) = try Self.open(scratch.file("a.db"))
        try second.close()
        let handle = try FileHandle(forWritingTo: URL(fileURLWithPath: scratch.file("a.db")))
        try handle.truncate(atOffset: 0)
        try handle.write(contentsOf: old)
        try handle.close()
        let (restored, other) = try Self.open(scratch.file("a.db"))
        #expect(other != name && restored.wasCopied)
        try restored.close()
    }

    @Test("A second client on the same file is refused")
    func locked() throws {
        let scratch = try Scratch()
        let (first, _) = try Self.open(scratch.file("a.db"))
        let error = #expect(throws: ClientError.self) { try Self.open(scratch.file("a.db")) }
        #expect(error?.code == .locked)
        try first.close()
    }
}
