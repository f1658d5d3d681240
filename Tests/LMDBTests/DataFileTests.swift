import Foundation
import LMDB
import Testing

/// What is opened and what is refused before it could end the process with SIGBUS.
@Suite struct DataFileTests {
    /// An environment with some records, closed.
    private func fixture() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        for key: UInt8 in 0..<20 {
            try environment.put([key], [UInt8](repeating: key, count: 5_000), in: database)
        }
        environment.close()
        return directory
    }

    private func openingCode(_ directory: TemporaryDirectory) -> LMDBError.Code? {
        code { try directory.open().close() }
    }

    @Test func refusesATruncatedFile() throws {
        let directory = try fixture()
        let whole = try Data(contentsOf: directory.dataFile)
        var accepted = 0
        for pages in 1..<whole.count / 4_096 {
            try whole.prefix(pages * 4_096).write(to: directory.dataFile)
            let code = openingCode(directory)
            #expect(code == .corrupted || (code == nil && pages > 30), "\(pages) pages")
            if code == nil { accepted += 1 }
        }
        #expect(accepted < 3)
        try whole.prefix(whole.count - 1).write(to: directory.dataFile)
        #expect(openingCode(directory) == .corrupted)
        try whole.write(to: directory.dataFile)
        #expect(openingCode(directory) == nil)
    }

    @Test func takesAnEmptyFileForANewOne() throws {
        let directory = try TemporaryDirectory()
        try Data().write(to: directory.dataFile)
        #expect(openingCode(directory) == nil)
    }

    @Test(arguments: [1, 100, 4_096, 100_000])
    func refusesAForeignFile(byteCount: Int) throws {
        let directory = try TemporaryDirectory()
        try Data(repeating: 0x5A, count: byteCount).write(to: directory.dataFile)
        #expect(openingCode(directory) == (byteCount < 152 ? .corrupted : .invalid))
    }

    /// Found by `Fuzz/`, target `data-file-pages`: a root beside a last page in front of the first
    /// that a root can be ended the process.
    @Test func refusesARootWhereNoPageCanBe() throws {
        let directory = try fixture()
        var bytes = try Data(contentsOf: directory.dataFile)
        // The last page, in each of the two meta pages.
        for meta in [0, 4_096] {
            bytes.replaceSubrange(meta + 136..<meta + 144, with: [1, 0, 0, 0, 0, 0, 0, 0])
        }
        try bytes.write(to: directory.dataFile)
        #expect(openingCode(directory) == .corrupted)
    }

    @Test func refusesAnotherVersion() throws {
        let directory = try fixture()
        var bytes = try Data(contentsOf: directory.dataFile)
        bytes[20] = 2
        try bytes.write(to: directory.dataFile)
        #expect(openingCode(directory) == .versionMismatch)
    }

    /// When LMDB cannot write a meta page, it puts back the older number and last page, and leaves
    /// the roots that were to be written, on pages that this last page does not reach: the fault
    /// sweep found that such a file was refused, although LMDB goes by the other meta page.
    @Test(arguments: [40 + 40, 88 + 40])
    func opensAfterAMetaPageThatCouldNotBeWritten(rootOffset: Int) throws {
        let directory = try fixture()
        let whole = try Data(contentsOf: directory.dataFile)
        func number(_ page: Int) -> UInt64 {
            let start = page * 4_096 + 144
            return (0..<8).reduce(0) { $0 | UInt64(whole[start + $1]) << UInt64(8 * $1) }
        }
        let newest = number(1) > number(0) ? 1 : 0
        for page in [0, 1] {
            var bytes = whole
            let start = page * 4_096 + rootOffset
            bytes.replaceSubrange(start..<start + 8, with: [0, 0, 0, 1, 0, 0, 0, 0])
            try bytes.write(to: directory.dataFile)
            #expect(openingCode(directory) == (page == newest ? .corrupted : nil))
        }
    }

    /// Flips in the meta pages and in the free list must not get past the check into a crash of
    /// its own; what LMDB then makes of the rest is for the records' checksums to find.
    @Test func survivesDamageAnywhereInAShortFile() throws {
        var generator = SeededGenerator()
        let directory = try fixture()
        let whole = try Data(contentsOf: directory.dataFile)
        for _ in 0..<150 {
            var bytes = whole.prefix(whole.count - 4_096 * Int.random(in: 1...3, using: &generator))
            for _ in 0..<Int.random(in: 1...30, using: &generator) {
                let page = Int.random(in: 0..<bytes.count / 4_096, using: &generator)
                let place = page * 4_096 + Int.random(in: 0..<200, using: &generator)
                bytes[place] = UInt8.random(in: 0...255, using: &generator)
            }
            try bytes.write(to: directory.dataFile)
            let code = code { try DataFile.check(directory: directory.path) }
            #expect([nil, .corrupted, .invalid, .versionMismatch].contains(code))
        }
    }

    /// LMDB never writes a page that a transaction took at the file's end and gave up again: the
    /// file ends before its last page, and is sound.
    @Test func opensFilesThatEndInFreePages() throws {
        var generator = SeededGenerator()
        let directory = try TemporaryDirectory()
        var shortFiles = 0
        for round in 0..<60 {
            let environment = try directory.open()
            let database = try environment.tree()
            try Self.changeMuch(environment, database, round, &generator)
            let used = try environment.statistics.usedBytes
            let expected = try environment.records(in: database)
            environment.close()
            let size = try #require(
                directory.dataFile.resourceValues(forKeys: [.fileSizeKey]).fileSize)
            if size < used { shortFiles += 1 }
            let again = try directory.open()
            #expect(try again.records(in: again.tree()) == expected)
        }
        #expect(shortFiles > 5)
    }

    private static func changeMuch(
        _ environment: Environment, _ database: Database, _ round: Int,
        _ generator: inout SeededGenerator
    ) throws(LMDBError) {
        try environment.write { transaction throws(LMDBError) in
            var keys: [[UInt8]] = []
            for _ in 0..<Int.random(in: 1...40, using: &generator) {
                let key = (0..<8).map { _ in UInt8.random(in: 0...255, using: &generator) }
                let value = [UInt8](
                    repeating: 1, count: [100, 3_000, 9_000, 20_000][round % 4])
                try transaction.put(key: key.span, value: value.span, in: database)
                keys.append(key)
            }
            for key in keys where Int.random(in: 0...3, using: &generator) > 0 {
                _ = try transaction.delete(key: key.span, in: database)
            }
        }
    }
}
