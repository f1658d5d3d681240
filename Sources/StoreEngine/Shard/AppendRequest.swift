internal import CChecksum
internal import Mailbox
internal import Synchronization

/// One call's appends on their way through the commit turn.
///
/// Written by the caller before it is queued, then by the holder of the commit turn alone, then
/// read by the caller after its completion.
// Three owners, one after the other, each hand-over through a lock: Sendable.
final class AppendRequest: @unchecked Sendable {
    /// The messages of a call: most calls bring one, which then needs no array.
    private enum Content {
        case one(Append, MailboxKey)
        case many(ArraySlice<Append>, [MailboxKey])
    }

    private let content: Content
    let count: Int
    let isAtomic: Bool
    /// Any of the appends names a producer.
    let hasProducers: Bool
    /// What the request takes of a group's payload, at most.
    let payloadBytes: Int
    /// What it takes in memory while it waits, about.
    var queuedBytes: Int { payloadBytes + 256 * count }
    /// The answer to a single append.
    private(set) var result: Result<AppendResult, StoreError>?
    /// The answers to several, in their order.
    private(set) var results: [Result<AppendResult, StoreError>] = []
    /// What concerns the call as a whole.
    var failure: StoreError?
    /// To be called once, when the results are in place, or the failure is.
    let completion: Completion

    /// How the caller learns that the request is done.
    @safe
    enum Completion {
        case continuation(UnsafeContinuation<Void, Never>)
        case monitor(Monitor<Bool>)
        case latch(Latch)

        /// Lets the caller go on.
        func call() {
            switch self {
            case .continuation(let continuation): unsafe continuation.resume()
            case .monitor(let monitor): monitor.change { $0 = true }
            case .latch(let latch): latch.countDown()
            }
        }
    }

    /// Asks for the memory of a request for one message.
    @inline(__always)
    func prefetch() {
        unsafe mailbox_prefetch(Unmanaged.passUnretained(self).toOpaque(), 448)
    }

    /// A request for one message.
    init(_ append: Append, completion: Completion) {
        content = .one(append, MailboxKey(append.mailbox))
        count = 1
        isAtomic = false
        hasProducers = append.producer != nil
        payloadBytes = JournalRecord.appendByteCount(append)
        self.completion = completion
    }

    /// A request for several messages.
    init(_ appends: ArraySlice<Append>, isAtomic: Bool, completion: Completion) {
        var keys: [MailboxKey] = []
        keys.reserveCapacity(appends.count)
        var bytes = 0
        var hasProducers = false
        let span = appends.span
        for index in span.indices {
            keys.append(MailboxKey(span[index].mailbox))
            bytes += JournalRecord.appendByteCount(span[index])
            if span[index].producer != nil { hasProducers = true }
        }
        content = .many(appends, keys)
        count = keys.count
        self.isAtomic = isAtomic
        self.hasProducers = hasProducers
        payloadBytes = bytes
        self.completion = completion
    }

    /// Calls `body` with each mailbox's key.
    @inline(__always)
    func forEachKey(_ body: (_ index: Int, MailboxKey) -> Void) {
        switch content {
        case .one(_, let key): body(0, key)
        case .many(_, let keys): for index in keys.indices { body(index, keys[index]) }
        }
    }

    /// The device that numbers a message.
    func device(at index: Int) -> DeviceID? {
        guard hasProducers else { return nil }
        switch content {
        case .one(let append, _): return append.producer?.device
        case .many(let appends, _):
            return appends[appends.startIndex + index].producer?.device
        }
    }

    /// Answers each append, in order, with what `body` says.
    @inline(__always)
    func answerEach(
        _ body: (_ index: Int, borrowing Append) -> Result<AppendResult, StoreError>
    ) {
        switch content {
        case .one(let append, _): result = body(0, append)
        case .many(let appends, _):
            results.reserveCapacity(count)
            let span = appends.span
            for index in span.indices { results.append(body(index, span[index])) }
        }
    }

    /// The answer to a single append.
    func answer() throws(StoreError) -> AppendResult {
        guard let result else { throw .closed() }
        return try result.get()
    }

    /// Takes the answers back: the request is refused as a whole.
    func refuse(_ error: StoreError) {
        result = nil
        results = []
        failure = error
    }

    /// The first append that was refused.
    var firstRefusal: StoreError? {
        if case .failure(let error) = result { return error }
        for case .failure(let error) in results { return error }
        return nil
    }

    /// Refuses a request that was not queued.
    func fail(_ error: StoreError) {
        failure = error
        completion.call()
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
            if state.bytes > 0, state.bytes + request.queuedBytes > bytesMaximum {
                return StoreError(
                    code: .overloaded,
                    message:
                        "\(state.bytes) bytes of appends wait for the journal; try again in a "
                        + "moment"
                )
            }
            state.requests.append(request)
            state.bytes += request.queuedBytes
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
            for request in state.requests[..<count] { state.bytes -= request.queuedBytes }
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
