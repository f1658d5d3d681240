internal import Mailbox
internal import Synchronization

/// Hands events from the task that hears them to the one that wants them, one answer of the server
/// at a time: a slow watcher slows the server down, which then coalesces.
final class WatchRelay: Sendable {
    typealias End = Result<Void, StoreError>

    private struct State {
        var events: [WatchEvent]?
        var hasBegun = false
        /// True when something came since this was asked last.
        var hasProgress = false
        var end: End?
        var taker: CheckedContinuation<Void, Never>?
        var giver: CheckedContinuation<Void, Never>?
        /// Hears the server; cancelled when the watch ends.
        var hearing: Task<Void, Never>?

        mutating func takeWaiters() -> [CheckedContinuation<Void, Never>] {
            defer {
                taker = nil
                giver = nil
            }
            return [taker, giver].compactMap(\.self)
        }
    }

    private let state = Mutex(State())

    /// True once the server answered.
    var hasBegun: Bool { state.withLock { $0.hasBegun } }

    /// True when something came since this was asked last.
    func takeProgress() -> Bool {
        state.withLock { state in
            defer { state.hasProgress = false }
            return state.hasProgress
        }
    }

    /// Tells which task hears the server.
    func begin(_ hearing: Task<Void, Never>) {
        let isOver = state.withLock { state in
            state.hearing = hearing
            return state.end != nil
        }
        if isOver { hearing.cancel() }
    }

    /// Ends the watch. The first end counts.
    func end(_ end: End) {
        let (waiters, hearing) = state.withLock { state in
            if state.end == nil { state.end = end }
            state.events = nil
            return (state.takeWaiters(), state.hearing)
        }
        hearing?.cancel()
        for waiter in waiters { waiter.resume() }
    }

    /// Hands events over, once those before were taken.
    ///
    /// - Returns: false when the watch has ended.
    func give(_ events: [WatchEvent]) async -> Bool {
        while true {
            let (isOver, waiters) = state.withLock { state in
                guard state.end == nil else { return (true, state.takeWaiters()) }
                guard state.events == nil else { return (false, []) }
                state.events = events
                state.hasBegun = true
                state.hasProgress = true
                return (true, state.takeWaiters())
            }
            for waiter in waiters { waiter.resume() }
            if isOver { return state.withLock { $0.end == nil } }
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.end != nil || state.events == nil { return true }
                    state.giver = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        }
    }

    /// Waits until the server answered, or refused.
    func waitForBegin() async throws(StoreError) {
        while true {
            let state = state.withLock { ($0.hasBegun, $0.end) }
            if case .failure(let error) = state.1 { throw error }
            if state.0 || state.1 != nil { return }
            await wait()
        }
    }

    /// The next events, nil when the watch ended.
    func take() async throws(StoreError) -> [WatchEvent]? {
        while true {
            let (events, end, waiters) = state.withLock { state in
                let events = state.events
                state.events = nil
                return (events, state.end, events == nil ? [] : state.takeWaiters())
            }
            for waiter in waiters { waiter.resume() }
            if let events { return events }
            switch end {
            case .success: return nil
            case .failure(let error): throw error
            case nil: await wait()
            }
        }
    }

    /// Waits until there are events, or an end. A task that is cancelled ends the watch.
    private func wait() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if state.end != nil || state.events != nil { return true }
                    state.taker = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            end(.success(()))
        }
    }
}
