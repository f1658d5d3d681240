import LMDB
import Testing

@Suite struct EnvironmentTests {
    @Test func readsWhatWasWritten() throws {
        let directory = try TemporaryDirectory()
        let environment = try Environment(
            path: directory.path,
            options: .init(mapBytes: 1 << 20, readersMaximum: 10, databasesMaximum: 4))
        environment.adoptWriterThread()
        let key: [UInt8] = [1, 2, 3]
        let database = try environment.write { transaction throws(LMDBError) in
            let database = try transaction.openDatabase(named: "records", create: true)
            try transaction.put(key: key.span, value: [4, 5].span, in: database)
            return database
        }
        let second = try environment.read { transaction throws(LMDBError) -> UInt8? in
            try transaction.value(for: key.span, in: database)?[1]
        }
        #expect(second == 5)
    }
}
