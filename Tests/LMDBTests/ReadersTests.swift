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

    @Test func aSnapshotIsKeptUntilAWriteEnds() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        for value: UInt8 in 1...200 {
            try environment.put([1], [UInt8](repeating: value, count: 40_000), in: database)
            // Twice: the second read takes what the first one kept.
            for _ in 0..<2 {
                let found = try environment.value([1], in: database)
                #expect(found == [UInt8](repeating: value, count: 40_000))
            }
        }
        // A kept snapshot that outlived a write would have made every value take new pages.
        #expect(try environment.statistics.lastPage < 100)
    }

    @Test func aKeptSnapshotDoesNotHideATreeThatWasOpened() throws {
        let directory = try TemporaryDirectory()
        let before = try directory.open()
        try before.put([1], [1], in: before.tree("other"))
        before.close()
        let environment = try directory.open()
        let records = try environment.tree()
        // Two at once, so that one is left when the next read takes the other.
        try environment.read { _ throws(LMDBError) in
            #expect(try environment.value([1], in: records) == nil)
        }
        let other = try environment.read { transaction throws(LMDBError) in
            try transaction.openDatabase(named: "other")
        }
        #expect(try environment.value([1], in: other) == [1])
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

    /// Transactions that open trees take turns; one that began before another opened a tree must
    /// not open one itself: LMDB would give both trees the same handle.
    @Test func treesAreNotConfused() throws {
        let directory = try Self.withTrees()
        let environment = try directory.open()
        try environment.read { old throws(LMDBError) in
            let first = try environment.read { transaction throws(LMDBError) in
                try transaction.openDatabase(named: "a")
            }
            #expect(code { try old.openDatabase(named: "b") } == .busy)
            let second = try environment.read { transaction throws(LMDBError) in
                try transaction.openDatabase(named: "b")
            }
            #expect(first != second)
            #expect(try environment.value([1], in: first) == Array("a".utf8))
            #expect(try environment.value([1], in: second) == Array("b".utf8))
        }
        let refused = code {
            try environment.write { transaction throws(LMDBError) in
                _ = try environment.read { reader throws(LMDBError) in
                    try reader.openDatabase(named: "c")
                }
                _ = try transaction.openDatabase(named: "d", create: true)
            }
        }
        #expect(refused == .busy)
        #expect(try environment.value([1], in: environment.tree("d")) == nil)
    }

    @Test func treesAreOpenedConcurrently() throws {
        let directory = try Self.withTrees()
        let environment = try directory.open()
        withWorkers(4) {
            for round in 0..<50 {
                let name = ["a", "b", "c"][round % 3]
                var value: [UInt8]?
                let outcome = codeUnlessBusy {
                    try environment.read { transaction throws(LMDBError) in
                        let database = try transaction.openDatabase(named: name)
                        value = try transaction.copyOfValue([1], in: database)
                    }
                }
                #expect(outcome == nil)
                #expect(value == Array(name.utf8))
            }
        } during: {
            for _ in 0..<20 { #expect(codeUnlessBusy { try environment.tree("d") } == nil) }
        }
    }

    /// A closed environment with the trees a, b and c, each with its name under the key 1.
    private static func withTrees() throws -> TemporaryDirectory {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        for name in ["a", "b", "c"] {
            try environment.put([1], Array(name.utf8), in: environment.tree(name))
        }
        environment.close()
        return directory
    }
}

/// The code of the error that `body` throws when it is tried until it is not `busy`.
private func codeUnlessBusy<R>(_ body: () throws -> R) -> LMDBError.Code? {
    while true {
        let code = code(body)
        if code != .busy { return code }
    }
}
