import Dispatch

/// Where a client's database work runs: a queue of its own, so that a sync blocks none of the
/// threads that tasks share.
final class ClientExecutor: SerialExecutor {
    private let queue = DispatchQueue(label: "mailbox-client")

    func enqueue(_ job: consuming ExecutorJob) {
        let job = UnownedJob(job)
        let executor = asUnownedSerialExecutor()
        queue.async { job.runSynchronously(on: executor) }
    }

    /// Runs `body` on the queue. A task that hops there would wake another thread on its way.
    func run(_ body: @escaping @Sendable () -> Void) { queue.async(execute: body) }

    func checkIsolated() { dispatchPrecondition(condition: .onQueue(queue)) }

    func asUnownedSerialExecutor() -> UnownedSerialExecutor {
        UnownedSerialExecutor(ordinary: self)
    }
}
