internal import Synchronization

/// A bound on bytes that are under way: who wants more waits until others have given theirs back,
/// first come first served.
///
/// One taker may always go on, however much it wants, when nothing else is under way: a frame that
/// is larger than the bound passes alone.
package final class CreditCounter: Sendable {
    private struct Waiter {
        let number: UInt64
        let amount: Int
        let continuation: CheckedContinuation<Bool, Never>
    }

    private struct State {
        var taken = 0
        var nextNumber: UInt64 = 0
        var waiters: [Waiter] = []
        /// Cancelled before they had begun to wait.
        var cancelled: Set<UInt64> = []
    }

    private let maximum: Int
    private let state = Mutex(State())

    package init(maximum: Int) { self.maximum = maximum }

    /// What is under way now.
    package var taken: Int { state.withLock { $0.taken } }

    /// Takes credit, waiting for it when there is none.
    ///
    /// - Throws: `CancellationError`; then nothing was taken.
    package func take(_ amount: Int) async throws {
        let number: UInt64? = state.withLock { state in
            if state.waiters.isEmpty, admits(amount, state) {
                state.taken += amount
                return nil
            }
            state.nextNumber += 1
            return state.nextNumber
        }
        guard let number else { return }
        let isTaken = await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                wait(Waiter(number: number, amount: amount, continuation: continuation))
            }
        } onCancel: {
            cancel(number)
        }
        // Left behind by a cancellation that came after the credit.
        state.withLock { _ = $0.cancelled.remove(number) }
        if !isTaken { throw CancellationError() }
    }

    /// Gives credit back.
    package func give(_ amount: Int) {
        let woken = state.withLock { state in
            state.taken -= amount
            assert(state.taken >= 0)
            return wakeable(&state)
        }
        for waiter in woken { waiter.continuation.resume(returning: true) }
    }

    private func admits(_ amount: Int, _ state: borrowing State) -> Bool {
        state.taken == 0 || state.taken + amount <= maximum
    }

    private func wakeable(_ state: inout State) -> [Waiter] {
        var woken: [Waiter] = []
        while let first = state.waiters.first, admits(first.amount, state) {
            state.taken += first.amount
            woken.append(state.waiters.removeFirst())
        }
        return woken
    }

    private func wait(_ waiter: Waiter) {
        let answer: Bool? = state.withLock { state in
            if state.cancelled.remove(waiter.number) != nil { return false }
            // Given back between the first look and this one.
            if state.waiters.isEmpty, admits(waiter.amount, state) {
                state.taken += waiter.amount
                return true
            }
            state.waiters.append(waiter)
            return nil
        }
        if let answer { waiter.continuation.resume(returning: answer) }
    }

    private func cancel(_ number: UInt64) {
        let (waiter, woken) = state.withLock { state -> (Waiter?, [Waiter]) in
            guard let place = state.waiters.firstIndex(where: { $0.number == number }) else {
                state.cancelled.insert(number)
                return (nil, [])
            }
            // Others may fit where the first in line did not.
            return (state.waiters.remove(at: place), wakeable(&state))
        }
        waiter?.continuation.resume(returning: false)
        for waiter in woken { waiter.continuation.resume(returning: true) }
    }
}
