internal import Mailbox
internal import Synchronization

/// A pipeline with the tasks that wait on it: callers for their outcomes, a writer for frames, a
/// keeper of connections for something to do.
final class FrameLine<Item: FrameItem>: Sendable {
    typealias Pipeline = FramePipeline<Item>
    typealias Outcomes = [Pipeline.Outcome]
    /// Hears the outcomes, once, without the line's lock.
    private typealias Caller = @Sendable (Outcomes) -> Void
    private typealias Waiter = CheckedContinuation<Void, Never>

    /// Who waits for a change.
    private enum Role: Sendable {
        case writer, keeper, closer, finisher
    }

    private struct State {
        var pipeline: Pipeline
        var callers: [Pipeline.CallNumber: Caller] = [:]
        /// Outcomes of calls whose caller does not wait yet.
        var early: [Pipeline.CallNumber: Outcomes] = [:]
        /// Waits for something to send, or for the end.
        var writer: Waiter?
        /// Waits for something that needs a connection, or for the end.
        var keeper: Waiter?
        /// Waits for the end, to cut an attempt off.
        var closer: Waiter?
        /// Waits for the end, to end the client.
        var finisher: Waiter?
        /// True when no more calls are taken.
        var isClosed = false
        /// True when the stream brought an answer.
        var hasProgress = false
        /// What kept the last connection from answering.
        var cause: StoreError?

        var wakesWriter: Bool { pipeline.canSend || pipeline.mustReconnect || isOver }
        /// True when nothing waits, and nothing ever will.
        var isOver: Bool { isClosed && pipeline.isEmpty }
        subscript(role: Role) -> Waiter? {
            get {
                switch role {
                case .writer: writer
                case .keeper: keeper
                case .closer: closer
                case .finisher: finisher
                }
            }
            set {
                switch role {
                case .writer: writer = newValue
                case .keeper: keeper = newValue
                case .closer: closer = newValue
                case .finisher: finisher = newValue
                }
            }
        }
        var wakesKeeper: Bool { isClosed || !pipeline.isEmpty }
    }

    private let state: Mutex<State>
    private let connectTimeout: Duration
    private let callTimeout: Duration

    init(_ configuration: StoreClientConfiguration) {
        connectTimeout = configuration.connectTimeout
        callTimeout = configuration.callTimeout
        let bytes = configuration.waitingBytesMaximum
        state = Mutex(State(pipeline: Pipeline(bytesWaitingMaximum: bytes, now: .now)))
    }

    /// Changes the state, then resumes whoever waited for what came of it.
    private func change<Value: Sendable>(_ body: (inout State) -> Value) -> Value {
        var answered: [(Caller, Outcomes)] = []
        var woken: (Waiter?, Waiter?, Waiter?, Waiter?) = (nil, nil, nil, nil)
        let value = state.withLock { state in
            let value = body(&state)
            for completion in state.pipeline.takeCompletions() {
                if let caller = state.callers.removeValue(forKey: completion.call) {
                    answered.append((caller, completion.outcomes))
                } else {
                    state.early[completion.call] = completion.outcomes
                }
            }
            if state.writer != nil, state.wakesWriter { swap(&woken.0, &state.writer) }
            if state.keeper != nil, state.wakesKeeper { swap(&woken.1, &state.keeper) }
            if state.closer != nil, state.isOver { swap(&woken.2, &state.closer) }
            if state.finisher != nil, state.isOver { swap(&woken.3, &state.finisher) }
            return value
        }
        for (caller, outcomes) in answered { caller(outcomes) }
        woken.0?.resume()
        woken.1?.resume()
        woken.2?.resume()
        woken.3?.resume()
        return value
    }

    // MARK: Callers

    /// Sends items in frames, and answers their outcomes.
    ///
    /// When the task is cancelled it answers at once: what was sent is lost.
    ///
    /// - Throws: `overloaded`, `closed`; then nothing was sent.
    func perform(_ items: [Item]) async throws(StoreError) -> Outcomes {
        let now = ContinuousClock.now
        let enqueued = change { state -> Result<Pipeline.CallNumber, StoreError> in
            guard !state.isClosed else { return .failure(StoreClient.closedError) }
            return Result { () throws(StoreError) in
                try state.pipeline.enqueue(items, now: now, deadline: now + callTimeout)
            }
        }
        let call = try enqueued.get()
        return await withTaskCancellationHandler {
            await withCheckedContinuation { caller in
                let outcomes = state.withLock { state -> Outcomes? in
                    if let outcomes = state.early.removeValue(forKey: call) { return outcomes }
                    state.callers[call] = { caller.resume(returning: $0) }
                    return nil
                }
                if let outcomes { caller.resume(returning: outcomes) }
            }
        } onCancel: {
            change { $0.pipeline.cancel(call) }
        }
    }

    /// Puts items at the end of the line before it returns, and tells their outcomes when they
    /// come.
    ///
    /// - Parameter whenDone: called once, on any thread; not at all when this throws.
    /// - Throws: `overloaded`, `closed`; then nothing was sent.
    func submit(
        _ items: [Item], whenDone: @escaping @Sendable (Outcomes) -> Void
    ) throws(StoreError) {
        let now = ContinuousClock.now
        let refusal = change { state -> StoreError? in
            guard !state.isClosed else { return StoreClient.closedError }
            do throws(StoreError) {
                let call = try state.pipeline.enqueue(
                    items, now: now, deadline: now + callTimeout)
                state.callers[call] = whenDone
                return nil
            } catch {
                return error
            }
        }
        if let refusal { throw refusal }
    }

    /// Answers the calls whose time is over.
    func expire() {
        change { state in
            state.pipeline.expire(now: .now, connectTimeout: connectTimeout, cause: state.cause)
        }
    }

    /// Takes no more calls; those that wait go on.
    func close() {
        change { $0.isClosed = true }
    }

    /// Takes no more calls, and answers those that wait.
    func end() {
        change { state in
            state.isClosed = true
            state.pipeline.end(StoreClient.closedError)
        }
    }

    // MARK: The stream

    /// Waits until something needs a connection.
    ///
    /// - Returns: false when nothing ever will: the line is closed and empty, or the task was
    ///   cancelled.
    func waitForDemand() async -> Bool {
        await wait(for: .keeper) { $0.wakesKeeper }
        return !Task.isCancelled && state.withLock { !$0.pipeline.isEmpty }
    }

    /// Waits until the line is closed and empty, or the task is cancelled. For an attempt.
    func waitForEnd() async {
        await wait(for: .closer) { $0.isOver }
    }

    /// As `waitForEnd`, for the client.
    func waitForLastEnd() async {
        await wait(for: .finisher) { $0.isOver }
    }

    /// A stream is open.
    func connected(_ limits: Pipeline.Limits) {
        change { state in
            state.cause = nil
            state.pipeline.connected(limits)
        }
    }

    /// The next frame, when there is one to send; nil when the stream is to end.
    func nextFrame() async -> Pipeline.Frame? {
        while !Task.isCancelled {
            if let frame = change({ $0.pipeline.nextFrame() }) { return frame }
            let isOver = state.withLock { $0.pipeline.mustReconnect || $0.isOver }
            if isOver { return nil }
            await wait(for: .writer) { $0.wakesWriter }
        }
        return nil
    }

    /// A frame's answer came.
    ///
    /// - Returns: false when the stream is of no more use.
    func answered(
        frame: UInt64, outcomes: Outcomes, continues: Bool = false
    ) throws(StoreError) -> Bool {
        let result = change { state -> Result<Bool, StoreError> in
            state.hasProgress = true
            return Result { () throws(StoreError) in
                try state.pipeline.answered(
                    frame: frame, outcomes: outcomes, continues: continues)
                return !state.pipeline.mustReconnect
            }
        }
        return try result.get()
    }

    /// The stream is gone, or could not be opened.
    ///
    /// - Returns: true when it had brought answers.
    func connectionLost(_ cause: StoreError?) -> Bool {
        change { state in
            state.cause = cause ?? state.cause
            state.pipeline.connectionLost(cause, now: .now)
            defer { state.hasProgress = false }
            return state.hasProgress
        }
    }

    /// True when the line is closed and empty.
    var isOver: Bool { state.withLock { $0.isOver } }

    /// Waits until the state is as wanted, or the task is cancelled.
    private func wait(
        for role: Role, until isReady: @Sendable (State) -> Bool
    ) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isDone = state.withLock { state in
                    if Task.isCancelled || isReady(state) { return true }
                    state[role] = continuation
                    return false
                }
                if isDone { continuation.resume() }
            }
        } onCancel: {
            let continuation = state.withLock { state in
                defer { state[role] = nil }
                return state[role]
            }
            continuation?.resume()
        }
    }
}
