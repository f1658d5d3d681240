import LMDB
import Synchronization
import Testing

@Suite struct GrowMapTests {
    /// Fills the tree until LMDB refuses, and answers how many records it took.
    private func fill(
        _ environment: Environment, _ database: Database, from first: Int
    ) -> (count: Int, code: LMDBError.Code?) {
        var count = first
        while true {
            let key = [UInt8(count >> 8), UInt8(count & 0xFF)]
            let code = code {
                try environment.put(key, [UInt8](repeating: 1, count: 3_000), in: database)
            }
            guard code == nil else { return (count - first, code) }
            count += 1
        }
    }

    @Test func aFullMapRefusesAndRecovers() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 256 << 10)
        let database = try environment.tree()
        let (count, code) = fill(environment, database, from: 0)
        #expect(code == .mapFull)
        #expect(count > 20)
        #expect(environment.firstCommitFailure == nil)
        #expect(try environment.records(in: database).count == count)
        try environment.growMap(to: 512 << 10)
        #expect(try environment.statistics.mapBytes == 512 << 10)
        let (more, again) = fill(environment, database, from: count)
        #expect(again == .mapFull)
        #expect(more > 20)
        #expect(try environment.records(in: database).count == count + more)
    }

    @Test func neverShrinks() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 1 << 20)
        try environment.growMap(to: 4_096)
        #expect(try environment.statistics.mapBytes == 1 << 20)
    }

    @Test func aFileLargerThanItsMapIsOpenedWhole() throws {
        let directory = try TemporaryDirectory()
        let written: Int
        do {
            let environment = try directory.open(mapBytes: 1 << 20)
            let database = try environment.tree()
            written = fill(environment, database, from: 0).count
            environment.close()
        }
        let environment = try directory.open(mapBytes: 64 << 10)
        #expect(try environment.records(in: environment.tree()).count == written)
    }

    /// Readers look at every record, over and over, while the map is replaced under them.
    @Test func growsUnderReaders() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 1 << 20)
        let database = try environment.tree()
        for key: UInt8 in 0..<100 {
            try environment.put([key], [UInt8](repeating: key, count: 3_000), in: database)
        }
        let isDone = Atomic(false)
        let reads = Atomic(0)
        withWorkers(3) {
            while !isDone.load(ordering: .relaxed) {
                let sum = try? environment.read { transaction throws(LMDBError) in
                    try transaction.withCursor(in: database) { cursor throws(LMDBError) in
                        var sum = 0
                        guard try cursor.first() else { return 0 }
                        repeat {
                            let (key, last) = (cursor.key[0], cursor.value.count - 1)
                            sum += cursor.value[last] == key ? 1 : 0
                        } while try cursor.next()
                        return sum
                    }
                }
                #expect(sum == 100 || sum == 101)
                reads.add(1, ordering: .relaxed)
            }
        } during: {
            for step in 1...60 {
                let before = reads.load(ordering: .relaxed)
                #expect(code { try environment.growMap(to: (1 << 20) + step << 16) } == nil)
                #expect(
                    code { try environment.put([200], [200], in: database) } == nil)
                #expect(
                    code {
                        try environment.write { transaction throws(LMDBError) in
                            _ = try transaction.delete(key: [200].span, in: database)
                        }
                    } == nil)
                while reads.load(ordering: .relaxed) < before + 3 {}
            }
            isDone.store(true, ordering: .relaxed)
        }
    }

    @Test func growingInsideAWriteIsAProgrammerError() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus]) {
            let environment = try TemporaryDirectory().openUnlinked()
            try environment.write { _ throws(LMDBError) in try environment.growMap(to: 1 << 30) }
        }
        #expect(result?.exitStatus.isSignal == true)
    }
}

/// Runs `work` on threads of their own while `body` runs here, and waits for all of them.
func withWorkers(
    _ count: Int, _ work: @escaping @Sendable () -> Void, during body: () throws -> Void
) rethrows {
    let workers = (0..<count).map { _ in Worker(work) }
    for worker in workers { worker.start() }
    defer { for worker in workers { worker.join() } }
    try body()
}

extension ExitStatus {
    /// Whether the process was stopped, as by a failed precondition, and did not end by an error.
    var isSignal: Bool {
        if case .signal = self { true } else { false }
    }
}
