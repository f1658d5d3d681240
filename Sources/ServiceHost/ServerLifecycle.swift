package import Mailbox
internal import Synchronization

/// Whether calls are taken, and how many are under way.
package final class ServerLifecycle: Sendable {
    private struct State {
        var isDraining = false
        var calls = 0
    }

    private let state = Mutex(State())

    package init() {}

    /// Whether the server is about to end, and takes no new calls.
    package var isDraining: Bool { state.withLock { $0.isDraining } }

    /// Calls under way.
    package var calls: Int { state.withLock { $0.calls } }

    /// From now on, new calls are refused.
    package func beginDraining() { state.withLock { $0.isDraining = true } }

    /// A call begins; `endCall` must follow.
    ///
    /// - Throws: `closed` when the server is about to end.
    package func beginCall() throws(StoreError) {
        let isDraining = state.withLock { state in
            if !state.isDraining { state.calls += 1 }
            return state.isDraining
        }
        if isDraining { throw Self.draining }
    }

    package func endCall() { state.withLock { $0.calls -= 1 } }

    /// What a call hears that comes, or is cut off, while the server ends.
    package static var draining: StoreError {
        StoreError(code: .closed, message: "the server is shutting down; connect again")
    }
}
