internal import Mailbox
internal import Synchronization

/// Pushes that wait for somebody to take them: bounded, first come first served, each taken once.
///
/// Every taker gets whatever waits, up to a frame's size; of several takers a slow one takes less.
package final class NotifyQueue: Sendable {
    private struct State {
        var pushes: [Push] = []
        /// Pushes before it were taken already.
        var first = 0
        var bytes = 0
        var isClosed = false
        var nextTaker: UInt64 = 0
        var takers: [UInt64: CheckedContinuation<Void, Never>] = [:]

        var isEmpty: Bool { first == pushes.count }
    }

    private static let frameCount = 256
    private static let frameBytes = 256 << 10

    private let state = Mutex(State())
    private let dropped = Atomic<UInt64>(0)
    private let countMaximum: Int
    private let bytesMaximum: Int

    /// - Parameters:
    ///   - countMaximum: pushes that may wait.
    ///   - bytesMaximum: their bytes, about.
    package init(countMaximum: Int, bytesMaximum: Int) {
        self.countMaximum = countMaximum
        self.bytesMaximum = bytesMaximum
    }

    /// Pushes that found no room.
    package var droppedCount: UInt64 { dropped.load(ordering: .relaxed) }

    /// Pushes that wait.
    package var count: Int { state.withLock { $0.pushes.count - $0.first } }

    /// True once nothing more is taken in.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Adds a push, or drops it when there is no room.
    ///
    /// - Returns: false when it was dropped.
    @discardableResult
    package func add(_ push: Push) -> Bool {
        let bytes = push.bytes
        let (isTaken, taker) = state.withLock { state in
            guard !state.isClosed, state.pushes.count - state.first < countMaximum,
                state.bytes + bytes <= bytesMaximum
            else { return (false, CheckedContinuation<Void, Never>?.none) }
            state.pushes.append(push)
            state.bytes += bytes
            return (true, state.takers.popFirst()?.value)
        }
        if !isTaken { dropped.wrappingAdd(1, ordering: .relaxed) }
        taker?.resume()
        return isTaken
    }

    /// The next pushes, at least one; nil when the queue is closed or the task is cancelled.
    package func next() async -> [Push]? {
        while !Task.isCancelled {
            let (pushes, isClosed) = state.withLock { state in
                (Self.take(&state), state.isClosed)
            }
            if !pushes.isEmpty { return pushes }
            if isClosed { return nil }
            await wait()
        }
        return nil
    }

    /// Takes nothing more in; what waits can still be taken.
    package func close() {
        let takers = state.withLock { state in
            state.isClosed = true
            defer { state.takers = [:] }
            return state.takers.values
        }
        for taker in takers { taker.resume() }
    }

    private static func take(_ state: inout State) -> [Push] {
        var taken: [Push] = []
        var bytes = 0
        while !state.isEmpty, taken.count < frameCount {
            let push = state.pushes[state.first]
            guard taken.isEmpty || bytes + push.bytes <= frameBytes else { break }
            bytes += push.bytes
            taken.append(push)
            state.first += 1
        }
        state.bytes -= bytes
        // Amortised: what was taken is let go when it is half of the array.
        if state.first * 2 >= state.pushes.count {
            state.pushes.removeFirst(state.first)
            state.first = 0
        }
        return taken
    }

    private func wait() async {
        let number = state.withLock { state in
            state.nextTaker += 1
            return state.nextTaker
        }
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    if Task.isCancelled || state.isClosed || !state.isEmpty { return true }
                    state.takers[number] = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { $0.takers.removeValue(forKey: number) }?.resume()
        }
    }
}
