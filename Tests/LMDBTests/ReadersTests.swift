import LMDB
import Synchronization
import Testing

@Suite struct ReadersTests {
    @Test func slotsRunOutAndComeBack() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(readersMaximum: 2)
        let database = try environment.tree()
        try environment.put([1], [1], in: database)
        for _ in 0..<3 {
            try environment.read { _ throws(LMDBError) in
                try environment.read { _ throws(LMDBError) in
                    #expect(code { try environment.value([1], in: database) } == .readersFull)
                    let statistics = try environment.statistics
                    #expect(statistics.readersInUse == 2)
                    #expect(statistics.freePages == nil)
                }
            }
            #expect(try environment.value([1], in: database) == [1])
        }
    }

    @Test func statisticsTellWhoPinsPages() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 1 << 20, readersMaximum: 5)
        let database = try environment.tree()
        let first = try environment.statistics
        #expect(first.mapBytes == 1 << 20)
        #expect(first.readersMaximum == 5)
        #expect(first.readersInUse == 0)
        #expect(first.oldestReaderLag == 0)
        #expect(first.usedBytes == (first.lastPage + 1) * first.pageBytes)
        try environment.read { _ throws(LMDBError) in
            for key: UInt8 in 1...3 { try environment.put([key], [key], in: database) }
            let statistics = try environment.statistics
            #expect(statistics.readersInUse == 1)
            #expect(statistics.oldestReaderLag == 3)
            #expect(statistics.lastTransactionID == first.lastTransactionID + 3)
        }
        let last = try environment.statistics
        #expect(last.readersInUse == 0)
        #expect(last.oldestReaderLag == 0)
        #expect(last.readerSlotsTaken == 2)
        #expect(try environment.clearStaleReaders() == 0)
    }

    @Test func countsFreePages() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.put([1], [UInt8](repeating: 1, count: 400_000), in: database)
        let before = try #require(environment.statistics.freePages)
        try environment.write { transaction throws(LMDBError) in
            _ = try transaction.delete(key: [1].span, in: database)
        }
        let after = try #require(environment.statistics.freePages)
        #expect(after >= before + 400_000 / 4_096)
    }

    /// A reader that throws gives its slot back like any other.
    @Test func aThrowingReadGivesItsSlotBack() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(readersMaximum: 1)
        let database = try environment.tree()
        for _ in 0..<5 {
            let thrown = code {
                try environment.read { transaction throws(LMDBError) in
                    try transaction.withCursor(in: database) { _ throws(LMDBError) in
                        throw LMDBError.corrupted("on purpose")
                    }
                }
            }
            #expect(thrown == .corrupted)
        }
        let missing = code {
            try environment.read { transaction throws(LMDBError) in
                _ = try transaction.openDatabase(named: "missing")
            }
        }
        #expect(missing == .notFound)
        #expect(try environment.value([1], in: database) == nil)
    }

    /// Two records always hold the same value: a reader that saw them differ saw half a commit.
    @Test func concurrentReadersSeeWholeCommits() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 4 << 20)
        let database = try environment.tree()
        let isDone = Atomic(false)
        try withWorkers(3) {
            while !isDone.load(ordering: .relaxed) {
                let isWhole = try? environment.read { transaction throws(LMDBError) in
                    try transaction.copyOfValue([1], in: database)
                        == transaction.copyOfValue([2], in: database)
                }
                #expect(isWhole == true)
            }
        } during: {
            defer { isDone.store(true, ordering: .relaxed) }
            for round in 0..<200 {
                let value = [UInt8](repeating: UInt8(truncatingIfNeeded: round), count: 6_000)
                try environment.write { transaction throws(LMDBError) in
                    try transaction.put(key: [1].span, value: value.span, in: database)
                    try transaction.put(key: [2].span, value: value.span, in: database)
                }
            }
        }
    }

    /// `mdb_dbi_open` allows one transaction at a time: many that want to open take turns.
    @Test func treesAreOpenedConcurrently() throws {
        let directory = try TemporaryDirectory()
        do {
            let environment = try directory.open()
            for name in ["a", "b", "c"] {
                try environment.put([1], [1], in: environment.tree(name))
            }
            environment.close()
        }
        let environment = try directory.open()
        withWorkers(4) {
            for round in 0..<50 {
                let value = try? environment.read { transaction throws(LMDBError) in
                    let database = try transaction.openDatabase(named: ["a", "b", "c"][round % 3])
                    return try transaction.copyOfValue([1], in: database)
                }
                #expect(value == [1])
            }
        } during: {
            for _ in 0..<20 { #expect(code { try environment.tree("d") } == nil) }
        }
    }
}
