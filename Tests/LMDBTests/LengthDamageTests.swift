import Foundation
import LMDB
import Testing

/// A node of a tree states how long its value is, and LMDB believes it: a damaged length makes a
/// value that leaves the file, and reading what the file lacks ended the process with SIGBUS.
@Suite struct LengthDamageTests {
    private static let pageBytes = 4_096
    private static let keys: Range<UInt8> = 0..<24

    /// Values that share a page, and values that have pages of their own.
    private static func value(_ key: UInt8) -> [UInt8] {
        [UInt8](repeating: key, count: key % 3 == 0 ? 9_000 : 100)
    }

    private func fixture() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        // In one transaction: the file has no leaves that the tree left behind.
        try environment.write { transaction throws(LMDBError) in
            for key in Self.keys {
                try transaction.put(key: [key].span, value: Self.value(key).span, in: database)
            }
        }
        environment.close()
        return directory
    }

    /// The nodes of keys of one byte, in all leaves of the file. They begin with their values'
    /// lengths.
    private static func nodes(in bytes: Data) -> [(key: UInt8, place: Int)] {
        func word(_ offset: Int) -> Int { Int(bytes[offset]) | Int(bytes[offset + 1]) << 8 }
        let leaves = stride(from: 2 * pageBytes, to: bytes.count, by: pageBytes).filter {
            word($0 + 10) == 0x02
        }
        return leaves.flatMap { page in
            stride(from: page + 16, to: page + word(page + 12), by: 2).map { page + word($0) }
        }.filter { word($0 + 6) == 1 }.map { (bytes[$0 + 8], $0) }
    }

    @Test func aLengthThatLeavesItsPageIsRefused() throws {
        let directory = try fixture()
        let whole = try Data(contentsOf: directory.dataFile)
        var refusedReads = 0
        var refusedWrites = 0
        for (key, node) in Self.nodes(in: whole) {
            for bit in [7, 14, 23, 31] {
                var bytes = whole
                bytes[node + bit / 8] ^= 1 << UInt8(bit % 8)
                try bytes.write(to: directory.dataFile)
                let environment = try directory.open()
                defer { environment.close() }
                refusedReads += try refused(bit) { try Self.read(environment) } ? 1 : 0
                refusedWrites += try refused(bit) { try Self.write(environment, key) } ? 1 : 0
            }
        }
        #expect(refusedReads >= 3 * Self.keys.count)
        #expect(refusedWrites >= 3 * Self.keys.count)
    }

    /// What a write transaction changed lies in memory that begins anywhere: the page is known by
    /// the cursor that stands on it.
    @Test func aKeyThatLeavesItsPageIsRefused() throws {
        let directory = try fixture()
        let whole = try Data(contentsOf: directory.dataFile)
        var refusedReads = 0
        var refusedWrites = 0
        let shared = Self.nodes(in: whole).filter { Self.value($0.key).count == 100 }
        for (key, node) in shared {
            for bit in [5, 8, 11] {
                var bytes = whole
                bytes[node + 6 + bit / 8] ^= 1 << UInt8(bit % 8)
                try bytes.write(to: directory.dataFile)
                let environment = try directory.open()
                defer { environment.close() }
                refusedReads += try refused(bit) { try Self.read(environment) } ? 1 : 0
                refusedWrites += try refused(bit) { try Self.write(environment, key) } ? 1 : 0
            }
        }
        #expect(refusedReads >= shared.count)
        #expect(refusedWrites >= shared.count)
    }

    @Test func theCursorsOfThisLibraryTellTheirPage() throws {
        let directory = try fixture()
        let environment = try directory.open()
        defer { environment.close() }
        let database = try environment.tree()
        try environment.read { transaction throws(LMDBError) in
            try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                #expect(try cursor.first())
                repeat {
                    let key = cursor.key.withUnsafeBytes { UInt(bitPattern: $0.baseAddress) }
                    #expect(cursor.pageAddress == key & ~UInt(Self.pageBytes - 1))
                } while try cursor.next()
            }
        }
    }

    private func refused(_ bit: Int, _ body: () throws -> Void) throws -> Bool {
        let code = code(body)
        // A length that stays within the page, or within the value's own pages, is for checksums.
        #expect(code == .corrupted || (bit < 14 && [nil, .busy].contains(code)), "bit \(bit)")
        return code == .corrupted
    }

    /// Touches every byte of every record.
    private static func read(_ environment: Environment) throws(LMDBError) {
        let database = try environment.read { transaction throws(LMDBError) in
            try transaction.openDatabase(named: "records")
        }
        _ = try environment.records(in: database)
        for key in keys { _ = try environment.value([key], in: database) }
    }

    /// Changes what lies beside a key's record, so that its page is a copy in memory, and touches
    /// every byte of every record.
    private static func write(_ environment: Environment, _ damaged: UInt8) throws(LMDBError) {
        let database = try environment.tree()
        try environment.write { transaction throws(LMDBError) in
            for key in keys where key != damaged {
                try transaction.put(key: [key].span, value: value(key).span, in: database)
            }
            try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                guard try cursor.first() else { return }
                repeat { _ = cursor.record } while try cursor.next()
            }
            // Nothing of it is kept.
            throw LMDBError(code: .busy, operation: "test")
        }
    }

    /// LMDB moves a page's other records by the length of the one that goes.
    @Test func aRecordWhoseLengthLeavesItsPageIsNotReplaced() throws {
        let directory = try fixture()
        let whole = try Data(contentsOf: directory.dataFile)
        for (key, node) in Self.nodes(in: whole) {
            var bytes = whole
            bytes[node + 2] ^= 0x40
            try bytes.write(to: directory.dataFile)
            let environment = try directory.open()
            defer { environment.close() }
            let database = try environment.tree()
            #expect(code { try environment.put([key], [1], in: database) } == .corrupted)
            let deletion = code {
                try environment.write { transaction throws(LMDBError) in
                    _ = try transaction.delete(key: [key].span, in: database)
                }
            }
            #expect(deletion == .corrupted)
        }
    }

    @Test func treesWithFlagsAreRefused() throws {
        let directory = try fixture()
        var bytes = try Data(contentsOf: directory.dataFile)
        // The name in the main tree, behind it the tree's own record: four bytes, then its flags.
        let name = Data("records".utf8)
        var place = bytes.startIndex
        while let found = bytes.range(of: name, in: place..<bytes.endIndex) {
            bytes[found.upperBound + 4] |= 0x04
            place = found.upperBound
        }
        try bytes.write(to: directory.dataFile)
        let environment = try directory.open()
        defer { environment.close() }
        #expect(code { try environment.tree() } == .corrupted)
    }

    @Test(arguments: [44, 80, 92, 128])
    func metaPagesThatCannotBeAreRefused(offset: Int) throws {
        let directory = try fixture()
        var bytes = try Data(contentsOf: directory.dataFile)
        for page in [0, Self.pageBytes] {
            // Flags of a kind that no tree has here; a root on a meta page.
            bytes[page + offset] = offset % 8 == 4 ? 0x04 : 1
            for more in 1..<(offset % 8 == 4 ? 1 : 8) { bytes[page + offset + more] = 0 }
        }
        try bytes.write(to: directory.dataFile)
        #expect(code { try directory.open().close() } == .corrupted)
    }
}
