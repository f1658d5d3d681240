public import Mailbox
internal import Synchronization

extension MailboxStore {
    /// Queues a batch for the journal now, and answers without waiting for it: for callers who send
    /// the next batch before the last one is durable.
    ///
    /// Two batches that one task or thread submits are stored in that order, mailbox by mailbox.
    /// The queue is bounded (`queueBytesMaximum`): what finds it full is refused with `overloaded`
    /// when its answer is asked for.
    ///
    /// - Parameters:
    ///   - batch: each append is accepted or refused for itself.
    ///   - completion: called once the whole batch is durable or refused, on the thread that
    ///     commits, or on the caller's: it must be quick, and must not call the store.
    /// - Returns: what will have the answers, one for each append, in their order.
    /// - Throws: `invalidArgument` for a batch that is too long, `closed`; then nothing was queued,
    ///   and the completion is not called.
    public func submit(
        batch: [Append], completion: (@Sendable () -> Void)? = nil
    ) throws(StoreError) -> PendingAppend {
        let plan = try BatchPlan(batch, self)
        return try whileOpen { () throws(StoreError) in
            let latch = Latch(count: plan.parts.count, completion: completion)
            let requests = plan.parts.map { part in
                let request = AppendRequest(
                    part.appends, isAtomic: false, completion: .latch(latch))
                shards[part.shard].enqueue(request)
                return request
            }
            return PendingAppend(plan: plan, requests: requests, latch: latch)
        }
    }
}

/// Appends that were submitted and may still be on their way to the disk.
public struct PendingAppend: Sendable {
    let plan: BatchPlan
    let requests: [AppendRequest]
    let latch: Latch

    /// Waits until the whole batch is durable or refused. May be called more than once.
    ///
    /// Not ended by cancelling the task: what is queued will be stored.
    ///
    /// - Returns: one answer for each append, in their order.
    /// - Throws: what concerns the whole batch: `overloaded`, `storageFull`, `failed`, `closed`.
    public func results() async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        await latch.wait()
        return try plan.gather(
            requests.map { $0.failure.map(Result.failure) ?? .success($0.results) })
    }
}

/// Opens when it was counted down to zero.
final class Latch: Sendable {
    private struct State {
        var count: Int
        var waiters: [CheckedContinuation<Void, Never>] = []
    }

    private let state: Mutex<State>
    private let completion: (@Sendable () -> Void)?

    init(count: Int, completion: (@Sendable () -> Void)?) {
        state = Mutex(State(count: count))
        self.completion = completion
        if count == 0 { completion?() }
    }

    func countDown() {
        let waiters = state.withLock { state -> [CheckedContinuation<Void, Never>]? in
            assert(state.count > 0)
            state.count -= 1
            guard state.count == 0 else { return nil }
            defer { state.waiters = [] }
            return state.waiters
        }
        guard let waiters else { return }
        completion?()
        for waiter in waiters { waiter.resume() }
    }

    func wait() async {
        if state.withLock({ $0.count == 0 }) { return }
        await withCheckedContinuation { continuation in
            let isOpen = state.withLock { state in
                if state.count > 0 { state.waiters.append(continuation) }
                return state.count == 0
            }
            if isOpen { continuation.resume() }
        }
    }
}

extension Shard {
    /// Hands the request to the commit thread; a refusal is its answer.
    fileprivate func enqueue(_ request: AppendRequest) {
        do throws(StoreError) {
            try queue.add(request, waking: true)
        } catch {
            request.fail(error)
        }
    }
}
