import Foundation
import LMDB
import Testing

/// A commit that failed in a way which leaves the file in doubt is the last one.
@Suite struct CommitFailureTests {
    /// In a process of its own, whose files may not grow beyond a limit: the limit is met in
    /// LMDB's commit, as a failed or a short write.
    @Test func aFailedCommitStopsWritesButNotReads() async {
        await #expect(processExitsWith: .success) {
            let directory = try TemporaryDirectory()
            let environment = try directory.open()
            let database = try environment.tree()
            try environment.put([1], [1], in: database)
            signal(SIGXFSZ, SIG_IGN)
            var limit = rlimit(rlim_cur: 64 << 10, rlim_max: 1 << 40)
            #expect(setrlimit(fileSizeLimit, &limit) == 0)
            let big = [UInt8](repeating: 2, count: 400_000)
            let first = code { try environment.put([2], big, in: database) }
            #expect(first == .ioError || first == LMDBError.Code(rawValue: EFBIG))
            #expect(environment.firstCommitFailure?.code == first)

            limit.rlim_cur = limit.rlim_max
            #expect(setrlimit(fileSizeLimit, &limit) == 0)
            #expect(code { try environment.put([3], [3], in: database) } == first)
            #expect(try environment.records(in: database) == [Record(key: [1], value: [1])])

            environment.close()
            let again = try directory.open()
            try again.put([3], [3], in: again.tree())
            #expect(try again.value([1], in: again.tree()) == [1])
        }
    }

    /// A commit after a change that LMDB refused answers so, and leaves no doubt.
    @Test func aSwallowedErrorFailsTheCommitOnly() throws {
        let directory = try TemporaryDirectory()
        let environment = try directory.open(mapBytes: 128 << 10)
        let database = try environment.tree()
        let big = [UInt8](repeating: 2, count: 1 << 20)
        let outcome = code {
            try environment.write { transaction throws(LMDBError) in
                try transaction.put(key: [1].span, value: [1].span, in: database)
                do throws(LMDBError) {
                    try transaction.put(key: [2].span, value: big.span, in: database)
                } catch {
                    #expect(error.code == .mapFull)
                }
            }
        }
        #expect(outcome == .badTransaction)
        #expect(environment.firstCommitFailure == nil)
        try environment.put([3], [3], in: database)
        #expect(try environment.records(in: database) == [Record(key: [3], value: [3])])
    }
}

#if canImport(Darwin)
    private let fileSizeLimit = RLIMIT_FSIZE
#else
    private let fileSizeLimit = __rlimit_resource_t(RLIMIT_FSIZE.rawValue)
#endif
