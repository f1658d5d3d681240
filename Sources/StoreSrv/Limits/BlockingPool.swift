internal import Mailbox
internal import StoreEngine
internal import Synchronization

/// A fixed number of threads for what may wait for the disk: a read that meets a page which is not
/// in memory stops its thread, and there are only as many task threads as cores.
///
/// The queue is bounded for calls (`run`), which are refused when it is full; tasks that prefer the
/// pool as their executor (watches, which are counted elsewhere) always find a place.
final class BlockingPool: TaskExecutor {
    private struct State {
        var jobs: [Job] = []
        /// Jobs before it were taken already.
        var first = 0
        var isClosed = false

        var count: Int { jobs.count - first }

        mutating func take() -> Job? {
            guard first < jobs.count else { return nil }
            defer {
                first += 1
                // Amortised: half of the array is moved after as many were taken.
                if first >= 256, first * 2 >= jobs.count {
                    jobs.removeFirst(first)
                    first = 0
                }
            }
            return jobs[first]
        }
    }

    private enum Job {
        case call(@Sendable () -> Void)
        case task(UnownedJob)
    }

    private let state = Monitor(State())
    private let threads: Mutex<[OSThread]>
    private let queueMaximum: Int

    /// - Parameters:
    ///   - threadCount: how many calls may wait for the disk at once.
    ///   - queueMaximum: calls that wait for a thread; above it they are refused.
    /// - Throws: `failed` when the system has no threads to give.
    init(threadCount: Int, queueMaximum: Int) throws(StoreError) {
        self.queueMaximum = queueMaximum
        threads = Mutex([])
        for _ in 0..<threadCount {
            let thread = try OSThread { [self] in work() }
            threads.withLock { $0.append(thread) }
        }
    }

    /// Ends the threads when what waits is done. Once; not from a pool's own thread.
    ///
    /// - Parameter waiting: whether to wait for that.
    func close(waiting: Bool) {
        state.change { $0.isClosed = true }
        let threads = threads.withLock { threads in
            defer { threads = [] }
            return threads
        }
        for thread in threads { if waiting { thread.join() } else { thread.detach() } }
    }

    /// Calls that wait for a thread.
    var waiting: Int { state.withLock { $0.count } }

    /// Runs a call on one of the threads.
    ///
    /// - Throws: `overloaded` when too many wait, `closed`, and what `body` throws.
    func run<Success: Sendable>(
        _ body: @escaping @Sendable () throws(StoreError) -> Success
    ) async throws(StoreError) -> Success {
        let result: Result<Success, StoreError> = await withUnsafeContinuation { continuation in
            let refusal = add(limit: queueMaximum) {
                do throws(StoreError) {
                    continuation.resume(returning: .success(try body()))
                } catch {
                    continuation.resume(returning: .failure(error))
                }
            }
            if let refusal { continuation.resume(returning: .failure(refusal)) }
        }
        return try result.get()
    }

    private func add(limit: Int, _ call: @escaping @Sendable () -> Void) -> StoreError? {
        state.changeWakingOne { state in
            if state.isClosed { return .closed() }
            guard state.count < limit else {
                return StoreError(
                    code: .overloaded,
                    message: "\(limit) calls wait for a thread that reads; try again in a moment")
            }
            state.jobs.append(.call(call))
            return nil
        }
    }

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let isClosed = state.changeWakingOne { state in
            if !state.isClosed { state.jobs.append(.task(job)) }
            return state.isClosed
        }
        // A task that still runs after the pool was closed finds its end here, on its caller.
        if isClosed { job.runSynchronously(on: asUnownedTaskExecutor()) }
    }

    private func work() {
        while true {
            let job = state.wait { state -> Job?? in
                if let job = state.take() { return .some(job) }
                return state.isClosed ? .some(nil) : nil
            }
            switch job {
            case .call(let call): call()
            case .task(let task): task.runSynchronously(on: asUnownedTaskExecutor())
            case nil: return
            }
        }
    }
}
