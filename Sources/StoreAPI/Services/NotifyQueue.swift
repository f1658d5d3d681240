internal import Mailbox
internal import Synchronization

/// Pushes that wait for somebody to take them: bounded, first come first served, each taken once.
///
/// Every taker gets whatever waits, up to a frame's size; of several takers a slow one takes less.
///
/// **What finds no room is not forgotten.** Its mailbox is marked, and a notice of its newest
/// sequence goes out as soon as somebody takes. Marks are bounded, too: beyond them `takeLoss` says
/// that something is owed that only the heads tell.
package final class NotifyQueue: Sendable {
    private struct State {
        var pushes: [Push] = []
        /// Pushes before it were taken already.
        var first = 0
        var bytes = 0
        var marks: PushMarks
        /// A taker is to hear of a loss, though nothing waits.
        var isLossNews = false
        var isClosed = false
        var nextTaker: UInt64 = 0
        var takers: [UInt64: CheckedContinuation<Void, Never>] = [:]

        var hasPushes: Bool { first < pushes.count }
        var isEmpty: Bool { !hasPushes && marks.isEmpty && !isLossNews }
    }

    private static let frameCount = 256
    private static let frameBytes = 256 << 10
    /// Notices of marks in one frame, beside what waits.
    private static let frameMarks = 64

    private let state: Mutex<State>
    private let dropped = Atomic<UInt64>(0)
    private let countMaximum: Int
    private let bytesMaximum: Int

    /// - Parameters:
    ///   - countMaximum: pushes that may wait, and mailboxes that may be marked beside them.
    ///   - bytesMaximum: the pushes' bytes, about.
    package init(countMaximum: Int, bytesMaximum: Int) {
        self.countMaximum = countMaximum
        self.bytesMaximum = bytesMaximum
        state = Mutex(State(marks: PushMarks(countMaximum: countMaximum)))
    }

    /// Pushes that found no room, whether or not they left a mark.
    package var droppedCount: UInt64 { dropped.load(ordering: .relaxed) }

    /// Pushes that wait.
    package var count: Int { state.withLock { $0.pushes.count - $0.first } }

    /// True once nothing more is taken in.
    package var isClosed: Bool { state.withLock { $0.isClosed } }

    /// Adds a push, or marks its mailbox when there is no room.
    ///
    /// - Returns: false when it was lost: after the end, or when there was no room for a mark.
    @discardableResult
    package func add(_ push: Push) -> Bool {
        let bytes = push.bytes
        let (isTaken, isMarked, taker) = state.withLock { state in
            guard !state.isClosed else {
                return (false, false, CheckedContinuation<Void, Never>?.none)
            }
            let hasRoom =
                state.pushes.count - state.first < countMaximum
                && state.bytes + bytes <= bytesMaximum
            var isMarked = false
            if hasRoom {
                state.pushes.append(push)
                state.bytes += bytes
            } else {
                isMarked = state.marks.add(push)
            }
            return (hasRoom, isMarked, state.takers.popFirst()?.value)
        }
        if !isTaken { dropped.wrappingAdd(1, ordering: .relaxed) }
        taker?.resume()
        return isTaken || isMarked
    }

    /// Marks the mailboxes of pushes that were taken, and that perhaps nobody has heard.
    package func mark(_ pushes: [Push]) {
        guard !pushes.isEmpty else { return }
        let taker = state.withLock { state -> CheckedContinuation<Void, Never>? in
            guard !state.isClosed else { return nil }
            for push in pushes { state.marks.add(push) }
            return state.takers.popFirst()?.value
        }
        taker?.resume()
    }

    /// Something was lost, nobody knows what: the next `takeLoss` says so, and somebody who waits
    /// for pushes gets none, so that he asks.
    package func noteLoss() {
        let taker = state.withLock { state in
            state.marks.noteLoss()
            state.isLossNews = true
            return state.takers.popFirst()?.value
        }
        taker?.resume()
    }

    /// Whether anything was lost without a mark since this was asked last. For who takes: it is
    /// owed to devices, and only the heads tell to whom.
    package func takeLoss() -> Bool { state.withLock { $0.marks.takeLoss() } }

    /// The next pushes, at least one, or none behind `noteLoss`; nil when the queue is closed or
    /// the task is cancelled.
    package func next() async -> [Push]? {
        while !Task.isCancelled {
            let (pushes, hasNews, isClosed) = state.withLock { state in
                defer { state.isLossNews = false }
                return (Self.take(&state), state.isLossNews, state.isClosed)
            }
            if !pushes.isEmpty || hasNews { return pushes }
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
        while state.hasPushes, taken.count < frameCount {
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
        // Beside what waits: else they would wait for as long as too much does.
        return taken + state.marks.take(atMost: taken.isEmpty ? frameCount : frameMarks)
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
