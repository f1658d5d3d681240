import Foundation
import LMDB
import Testing

@Suite struct EnvironmentTests {
    @Test func keepsWhatWasCommitted() throws {
        let directory = try TemporaryDirectory()
        do {
            let environment = try directory.open()
            try environment.put([1], [2, 3], in: environment.tree())
            environment.close()
        }
        let environment = try directory.open()
        #expect(try environment.value([1], in: environment.tree()) == [2, 3])
    }

    @Test func closesOnceAndRefusesAfterwards() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.put([1], [2], in: database)
        environment.close()
        environment.close()
        #expect(code { try environment.value([1], in: database) } == .closed)
        #expect(code { try environment.put([1], [2], in: database) } == .closed)
        #expect(code { try environment.growMap(to: 1 << 30) } == .closed)
        #expect(code { try environment.statistics } == .closed)
        #expect(code { try environment.clearStaleReaders() } == .closed)
        #expect(code { try environment.copy(to: directory.path, compacting: true) } == .closed)
    }

    @Test func closeWaitsForReaders() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        let database = try environment.tree()
        try environment.put([1], [2], in: database)
        let closer = Worker { environment.close() }
        let value = try environment.read { transaction throws(LMDBError) in
            closer.start()
            // The closer has begun when it refuses newcomers.
            while code({ try environment.value([1], in: database) }) != .closed {}
            #expect(!closer.isFinished)
            return try transaction.copyOfValue([1], in: database)
        }
        #expect(value == [2])
        closer.join()
    }

    /// A page without room would end the process when it is first written. Found by cuts of a full
    /// file system (`make fscuts`).
    @Test func theLockFileHasItsRoom() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(readersMaximum: 4_096)
        var status = stat()
        #expect(stat("\(directory.path)/lock.mdb", &status) == 0)
        #expect(status.st_size >= 64 * 4_096)
        #expect(Int(status.st_blocks) * 512 >= Int(status.st_size))
        environment.close()
    }

    @Test func needsADirectory() throws {
        let directory = try TemporaryDirectory()
        let missing = directory.path + "/missing"
        let options = Environment.Options(
            mapBytes: 1 << 20, readersMaximum: 2, databasesMaximum: 2)
        #expect(code { try Environment(path: missing, options: options) } == .noSuchFile)
        let file = directory.path + "/file"
        try Data([1]).write(to: URL(fileURLWithPath: file))
        #expect(
            code { try Environment(path: file, options: options) }
                == LMDBError.Code(rawValue: ENOTDIR))
    }

    @Test func readOnlyRefusesToWrite() throws {
        let directory = try TemporaryDirectory()
        do {
            let environment = try directory.open()
            try environment.put([1], [2], in: environment.tree())
        }
        let environment = try directory.open(readOnly: true)
        #expect(code { try environment.tree() } == .accessDenied)
        let database = try environment.read { transaction throws(LMDBError) in
            try transaction.openDatabase(named: "records")
        }
        #expect(try environment.value([1], in: database) == [2])
    }

    @Test func knowsItsWriterThread() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open()
        #expect(environment.isWriterThread)
        environment.adoptWriterThread()
        let other = Worker { #expect(!environment.isWriterThread) }
        other.start()
        other.join()
    }

    @Test func writingOnAnotherThreadIsAProgrammerError() async {
        let result = await #expect(processExitsWith: .failure, observing: [\.exitStatus]) {
            let environment = try TemporaryDirectory().openUnlinked()
            let other = Worker { try? environment.write { _ throws(LMDBError) in } }
            other.start()
            other.join()
        }
        #expect(result?.exitStatus.isSignal == true)
    }

    @Test func describesErrorsWithTheCFunction() {
        let error = LMDBError(code: .mapFull, operation: "mdb_put", message: "a message")
        #expect(
            error.description
                == "mdb_put: MDB_MAP_FULL: Environment mapsize limit reached (-30792): a message")
        #expect(LMDBError.corrupted("head").code == .corrupted)
    }
}

/// The code of the error that `body` throws, nil if it throws none.
func code<R: ~Copyable>(_ body: () throws -> R) -> LMDBError.Code? {
    do {
        _ = try body()
        return nil
    } catch {
        return (error as? LMDBError)?.code
    }
}

/// A thread that can be waited for.
// What is shared is guarded by the condition: Sendable.
final class Worker: @unchecked Sendable {
    // The condition guards the state; the thread is only started, by whoever made the worker.
    private let condition = NSCondition()
    private var finished = false
    private let body: @Sendable () -> Void

    init(_ body: @escaping @Sendable () -> Void) {
        self.body = body
    }

    func start() {
        Thread.detachNewThread { [self] in
            body()
            condition.lock()
            finished = true
            condition.broadcast()
            condition.unlock()
        }
    }

    var isFinished: Bool {
        condition.lock()
        defer { condition.unlock() }
        return finished
    }

    func join() {
        condition.lock()
        defer { condition.unlock() }
        while !finished { condition.wait() }
    }
}
