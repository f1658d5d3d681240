import LMDB
import Testing

@Suite struct TransactionTests {
    @Test(arguments: [0, 1, 100, 2_000, 2_100, 4_096, 200_000, 5_000_000])
    func valuesOfEveryLengthComeBack(length: Int) throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        let value = (0..<length).map { UInt8(truncatingIfNeeded: $0 &* 31 &+ $0 >> 8) }
        try environment.put([7], value, in: database)
        #expect(try environment.value([7], in: database) == value)
        try environment.put([7], [1], in: database)
        #expect(try environment.value([7], in: database) == [1])
    }

    @Test func absenceIsNoError() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        #expect(try environment.value([1], in: database) == nil)
        try environment.write { transaction throws(LMDBError) in
            #expect(try !transaction.delete(key: [1].span, in: database))
            #expect(try transaction.copyOfValue([1], in: database) == nil)
        }
    }

    @Test func deletesOneKey() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.put([1], [1], in: database)
        try environment.put([2], [2], in: database)
        try environment.write { transaction throws(LMDBError) in
            #expect(try transaction.delete(key: [1].span, in: database))
        }
        #expect(try environment.records(in: database) == [Record(key: [2], value: [2])])
    }

    @Test func keysHaveBounds() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        let longest = [UInt8](repeating: 1, count: 511)
        try environment.put(longest, [1], in: database)
        #expect(try environment.value(longest, in: database) == [1])
        #expect(code { try environment.put(longest + [1], [1], in: database) } == .badValueSize)
        #expect(code { try environment.put([], [1], in: database) } == .badValueSize)
        #expect(code { try environment.value([], in: database) } == .badValueSize)
    }

    @Test func aThrowingWriteChangesNothing() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.put([1], [1], in: database)
        let thrown = code {
            try environment.write { transaction throws(LMDBError) in
                try transaction.put(key: [1].span, value: [2].span, in: database)
                try transaction.put(key: [2].span, value: [2].span, in: database)
                #expect(try transaction.copyOfValue([1], in: database) == [2])
                throw LMDBError.corrupted("a record")
            }
        }
        #expect(thrown == .corrupted)
        #expect(environment.firstCommitFailure == nil)
        #expect(try environment.records(in: database) == [Record(key: [1], value: [1])])
    }

    @Test func aReadIsASnapshot() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.put([1], [1], in: database)
        try environment.read { old throws(LMDBError) in
            let before = old.id
            try environment.put([1], [2], in: database)
            #expect(try old.copyOfValue([1], in: database) == [1])
            #expect(old.id == before)
            try environment.read { new throws(LMDBError) in
                #expect(try new.copyOfValue([1], in: database) == [2])
                #expect(new.id == before + 1)
            }
            try environment.write { transaction throws(LMDBError) in
                #expect(transaction.id == before + 2)
            }
        }
    }

    @Test func treesAreSeparate() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let (first, second) = (try environment.tree("first"), try environment.tree("second"))
        #expect(first != second)
        try environment.put([1], [1], in: first)
        #expect(try environment.value([1], in: second) == nil)
        let statistics = try environment.read { transaction throws(LMDBError) in
            (try transaction.statistics(of: first), try transaction.statistics(of: second))
        }
        #expect(statistics.0.entries == 1)
        #expect(statistics.0.depth == 1)
        #expect(statistics.0.leafPages == 1)
        #expect(statistics.1.entries == 0)
        #expect(statistics.1.depth == 0)
    }

    @Test func aTreeOpenedInAReadIsGoodAfterwards() throws {
        let directory = try TemporaryDirectory()
        do {
            let environment = try directory.open()
            try environment.put([1], [1], in: environment.tree())
        }
        let environment = try directory.open()
        let missing = code {
            try environment.read { transaction throws(LMDBError) in
                try transaction.openDatabase(named: "missing")
            }
        }
        #expect(missing == .notFound)
        let database = try environment.read { transaction throws(LMDBError) in
            let database = try transaction.openDatabase(named: "records")
            #expect(try transaction.openDatabase(named: "records") == database)
            #expect(try transaction.copyOfValue([1], in: database) == [1])
            return database
        }
        #expect(try environment.value([1], in: database) == [1])
        #expect(try environment.tree() == database)
    }

    @Test func aTreeOfAnAbandonedWriteIsNotOpen() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        var leaked: Database?
        #expect(throws: LMDBError.self) {
            try environment.write { transaction throws(LMDBError) in
                leaked = try transaction.openDatabase(named: "abandoned", create: true)
                throw LMDBError.corrupted("a record")
            }
        }
        let database = try #require(leaked)
        #expect(code { try environment.value([1], in: database) } == .invalidArgument)
        let missing = code {
            try environment.write { transaction throws(LMDBError) in
                _ = try transaction.openDatabase(named: "abandoned", create: false)
            }
        }
        #expect(missing == .notFound)
    }

    @Test func slotsForTreesRunOut() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        for number in 0..<4 { _ = try environment.tree("tree \(number)") }
        #expect(code { try environment.tree("one more") } == .databasesFull)
        #expect(try environment.tree("tree 0") == environment.tree("tree 0"))
    }
}
