internal import Mailbox
internal import Synchronization

/// One call's appends on their way through the commit turn.
///
/// Written by the caller before it is queued, then by the holder of the commit turn alone, then read by the caller
/// after its completion: three owners, one after the other, each hand-over through a lock.
final class AppendRequest: @unchecked Sendable {
    let appends: ArraySlice<Append>
    let keys: [MailboxKey]
    let isAtomic: Bool
    /// What the request takes of a group's payload, at most.
    let payloadBytes: Int
    /// One for each append, in their order.
    var results: [Result<AppendResult, StoreError>] = []
    /// What concerns the call as a whole.
    var failure: StoreError?
    private let completion: Completion

    /// How the caller learns that the request is done.
    enum Completion {
        case continuation(CheckedContinuation<Void, Never>)
        case monitor(Monitor<Bool>)
    }

    init(
        appends: ArraySlice<Append>, isAtomic: Bool, completion: Completion
    ) {
        self.appends = appends
        self.isAtomic = isAtomic
        self.completion = completion
        var keys: [MailboxKey] = []
        keys.reserveCapacity(appends.count)
        var bytes = 0
        for append in appends {
            let key = MailboxKey(append.mailbox)
            keys.append(key)
            bytes += JournalRecord.appendByteCount(append)
        }
        self.keys = keys
        payloadBytes = bytes
    }

    /// The results are in place, or the failure is: lets the caller go on. Called once.
    func complete() {
        switch completion {
        case .continuation(let continuation): continuation.resume()
        case .monitor(let monitor): monitor.change { $0 = true }
        }
    }

    func fail(_ error: StoreError) {
        failure = error
        complete()
    }
}

/// Appends that wait for the commit turn, first come first served, bounded in bytes.
final class SubmissionQueue: Sendable {
    struct State {
        var requests: [AppendRequest] = []
        var bytes = 0
        var isClosed = false
        var isCheckpointWaiting = false
    }

    private let state = Monitor(State())
    private let bytesMaximum: Int

    init(bytesMaximum: Int) { self.bytesMaximum = bytesMaximum }

    /// - Parameter waking: whether the commit thread is to be woken now.
    /// - Throws: `overloaded` when the queue is full, `closed` after `close`.
    func add(_ request: AppendRequest, waking: Bool) throws(StoreError) {
        let add: (inout State) -> StoreError? = { [bytesMaximum] state in
            if state.isClosed { return .closed() }
            if state.bytes > 0, state.bytes + request.payloadBytes > bytesMaximum {
                return StoreError(
                    code: .overloaded,
                    message: "\(state.bytes) bytes of appends wait for the journal; try again in a moment")
            }
            state.requests.append(request)
            state.bytes += request.payloadBytes
            return nil
        }
        if let error = waking ? state.change(add) : state.withLock(add) { throw error }
    }

    /// Takes requests for one group: as many as fit into `bytes`, at least one when one waits.
    func take(bytes: Int) -> [AppendRequest] {
        state.withLock { state in
            var taken = 0
            var count = 0
            while count < state.requests.count,
                count == 0 || taken + state.requests[count].payloadBytes <= bytes
            {
                taken += state.requests[count].payloadBytes
                count += 1
            }
            state.bytes -= taken
            if count == state.requests.count {
                let all = state.requests
                state.requests = []
                return all
            }
            let some = Array(state.requests[..<count])
            state.requests.removeFirst(count)
            return some
        }
    }

    var isEmpty: Bool { state.withLock { $0.requests.isEmpty } }

    /// The bytes that wait now.
    var bytes: Int { state.withLock { $0.bytes } }

    /// Wakes the commit thread.
    func wake() { state.change { _ in } }

    /// Waits until there is something to commit.
    ///
    /// - Returns: false when the queue was closed and is empty.
    func waitForWork() -> Bool {
        state.wait { state in
            if !state.requests.isEmpty { return true }
            return state.isClosed ? false : nil
        }
    }

    /// Refuses what comes from now on; what waits is still committed.
    func close() { state.change { $0.isClosed = true } }
}
