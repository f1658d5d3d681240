import Foundation
import LMDB
import Testing

@Suite struct CopyTests {
    @Test(arguments: [false, true])
    func aCopyHoldsTheSameRecords(compacting: Bool) throws {
        let (directory, target) = (try TemporaryDirectory(), try TemporaryDirectory())
        let environment = try directory.open()
        let database = try environment.tree()
        for key: UInt8 in 0..<200 {
            try environment.put([key], [UInt8](repeating: key, count: Int(key) * 40), in: database)
        }
        try environment.write { transaction throws(LMDBError) in
            for key: UInt8 in 0..<100 {
                _ = try transaction.delete(key: [key].span, in: database)
            }
        }
        try environment.copy(to: target.path, compacting: compacting)
        let expected = try environment.records(in: database)
        try environment.put([1], [1], in: database)
        let copied = try target.open()
        #expect(try copied.records(in: copied.tree()) == expected)
        let pages = (try environment.statistics.lastPage, try copied.statistics.lastPage)
        #expect(compacting ? pages.1 < pages.0 : pages.1 >= pages.0 - 2)
    }

    @Test func refusesToOverwrite() throws {
        let (directory, target) = (try TemporaryDirectory(), try TemporaryDirectory())
        let environment = try directory.open()
        try environment.put([1], [1], in: environment.tree())
        try environment.copy(to: target.path, compacting: true)
        #expect(code { try environment.copy(to: target.path, compacting: true) } == .fileExists)
        let missing = target.path + "/missing"
        #expect(code { try environment.copy(to: missing, compacting: true) } == .noSuchFile)
    }
}
