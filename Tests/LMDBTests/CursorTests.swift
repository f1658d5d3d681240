import LMDB
import Testing

@Suite struct CursorTests {
    /// Keys 10, 20, 30, 40, each with itself as the value.
    private func fixture() throws -> (TemporaryDirectory, Environment, Database) {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        for key: UInt8 in [30, 10, 40, 20] { try environment.put([key], [key], in: database) }
        return (directory, environment, database)
    }

    @Test func movesInKeyOrder() throws {
        let (_, environment, database) = try fixture()
        try environment.read { transaction throws(LMDBError) in
            try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                #expect(cursor.isOnRecord == false)
                var keys: [UInt8] = []
                var found = try cursor.first()
                while found {
                    keys.append(cursor.key[0])
                    found = try cursor.next()
                }
                #expect(keys == [10, 20, 30, 40])
                #expect(cursor.isOnRecord == false)
                found = try cursor.last()
                while found {
                    #expect(cursor.value[0] == keys.removeLast())
                    found = try cursor.previous()
                }
                #expect(keys.isEmpty)
                #expect(cursor.isOnRecord == false)
            }
        }
    }

    @Test(arguments: [(0, 10), (10, 10), (11, 20), (40, 40), (41, nil)] as [(UInt8, UInt8?)])
    func seeksTheFirstKeyNotLess(sought: UInt8, expected: UInt8?) throws {
        let (_, environment, database) = try fixture()
        try environment.read { transaction throws(LMDBError) in
            try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                #expect(try cursor.seek(to: [sought].span) == (expected != nil))
                #expect((cursor.isOnRecord ? cursor.key[0] : nil) == expected)
                #expect(try cursor.seek(exactly: [sought].span) == (sought == expected))
                #expect(
                    (cursor.isOnRecord ? cursor.key[0] : nil)
                        == (sought == expected ? expected : nil))
            }
        }
    }

    @Test func ordersByBytesThenLength() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        let keys: [[UInt8]] = [[0], [0, 0], [0, 1], [1], [1, 255, 255], [2], [255], [255, 0]]
        for key in keys.shuffled() { try environment.put(key, key, in: database) }
        #expect(try environment.records(in: database).map(\.key) == keys)
    }

    @Test func anEmptyTreeHasNoRecords() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.read { transaction throws(LMDBError) in
            try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                #expect(try !cursor.first())
                #expect(try !cursor.last())
                #expect(try !cursor.seek(to: [1].span))
                #expect(try !cursor.seek(exactly: [1].span))
            }
        }
    }

    @Test func cursorsNestAndAreUsedAgain() throws {
        let (_, environment, database) = try fixture()
        let other = try environment.tree("other")
        try environment.put([99], [99], in: other)
        for _ in 0..<3 {
            try environment.read { transaction throws(LMDBError) in
                try transaction.withCursor(in: database) { outer throws(LMDBError) in
                    #expect(try outer.first())
                    try transaction.withCursor(in: database) { inner throws(LMDBError) in
                        #expect(try inner.last())
                        #expect(inner.key[0] == 40)
                    }
                    try transaction.withCursor(in: other) { inner throws(LMDBError) in
                        #expect(try inner.first())
                        #expect(inner.key[0] == 99)
                    }
                    #expect(outer.key[0] == 10)
                    #expect(try outer.next())
                    #expect(outer.key[0] == 20)
                }
            }
        }
    }

    @Test func deletesAndSeeksAgain() throws {
        let (_, environment, database) = try fixture()
        try environment.write { transaction throws(LMDBError) in
            try transaction.withWriteCursor(in: database) { cursor throws(LMDBError) in
                #expect(try cursor.seek(exactly: [20].span))
                try cursor.deleteCurrent()
                #expect(cursor.isOnRecord == false)
                #expect(try cursor.seek(to: [20].span))
                #expect(cursor.key[0] == 30)
                try cursor.put(key: [25].span, value: [1].span)
                #expect(cursor.isOnRecord == false)
                try cursor.put(key: [30].span, value: [2].span)
            }
            let keys = try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                var keys: [UInt8] = []
                guard try cursor.first() else { return keys }
                repeat { keys.append(cursor.key[0]) } while try cursor.next()
                return keys
            }
            #expect(keys == [10, 25, 30, 40])
        }
        #expect(try environment.value([30], in: database) == [2])
    }

    @Test func aStrayUseIsAProgrammerError() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus]) {
            let environment = try TemporaryDirectory().openUnlinked()
            let database = try environment.tree()
            try environment.put([1], [1], in: database)
            try environment.write { transaction throws(LMDBError) in
                try transaction.withWriteCursor(in: database) { cursor throws(LMDBError) in
                    _ = try cursor.first()
                    try cursor.deleteCurrent()
                    _ = cursor.value.count
                }
            }
        }
        #expect(result?.exitStatus.isSignal == true)
    }
}

/// Random work against a dictionary: deep trees, overflow pages, page splits and merges.
@Suite struct CursorModelTests {
    @Test func agreesWithASortedDictionary() throws {
        var generator = SeededGenerator()
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 64 << 20)
        let database = try environment.tree()
        var model: [[UInt8]: [UInt8]] = [:]
        for round in 0..<60 {
            var changed = model
            let abandon = Int.random(in: 0..<8, using: &generator) == 0
            let outcome = code {
                try environment.write { transaction throws(LMDBError) in
                    try Self.change(&transaction, database, &changed, &generator)
                    if abandon { throw LMDBError.corrupted("on purpose") }
                }
            }
            #expect(outcome == (abandon ? .corrupted : nil))
            if !abandon { model = changed }
            let expected = model.map { Record(key: $0.key, value: $0.value) }
                .sorted { $0.key.lexicographicallyPrecedes($1.key) }
            let found = try environment.records(in: database)
            guard found == expected else {
                Issue.record("round \(round): \(found.count) records, not \(expected.count)")
                return
            }
        }
    }

    private static func change(
        _ transaction: inout WriteTransaction, _ database: Database,
        _ model: inout [[UInt8]: [UInt8]], _ generator: inout SeededGenerator
    ) throws(LMDBError) {
        for _ in 0..<Int.random(in: 1...120, using: &generator) {
            let key = [
                UInt8.random(in: 0..<4, using: &generator),
                UInt8.random(in: 0...255, using: &generator),
            ]
            switch Int.random(in: 0..<8, using: &generator) {
            case 0..<4:
                let length = Int.random(in: 0..<9, using: &generator) == 0 ? 9_000 : 200
                let value = [UInt8](
                    repeating: .random(in: 0...255, using: &generator),
                    count: .random(in: 0..<length, using: &generator))
                try transaction.put(key: key.span, value: value.span, in: database)
                model[key] = value
            case 4..<6:
                let existed = try transaction.delete(key: key.span, in: database)
                #expect(existed == (model.removeValue(forKey: key) != nil))
            case 6:
                try deleteStretch(&transaction, database, from: key, &model, &generator)
            default:
                #expect(try transaction.copyOfValue(key, in: database) == model[key])
            }
        }
    }

    /// Deletes some records in a row, the way that callers must: seek again after each.
    private static func deleteStretch(
        _ transaction: inout WriteTransaction, _ database: Database, from key: [UInt8],
        _ model: inout [[UInt8]: [UInt8]], _ generator: inout SeededGenerator
    ) throws(LMDBError) {
        let count = Int.random(in: 0..<12, using: &generator)
        let deleted = try transaction.withWriteCursor(in: database) { cursor throws(LMDBError) in
            var deleted: [[UInt8]] = []
            while deleted.count < count, try cursor.seek(to: key.span) {
                deleted.append(copy(of: cursor.key))
                try cursor.deleteCurrent()
            }
            return deleted
        }
        let expected = model.keys.filter { !$0.lexicographicallyPrecedes(key) }
            .sorted { $0.lexicographicallyPrecedes($1) }.prefix(count)
        #expect(deleted == Array(expected))
        for key in deleted { model[key] = nil }
    }
}
