import Dispatch
import Mailbox
import StoreEngine
import Synchronization

/// Stops the engine's own thread at a fault point until the test lets it go on.
final class Gate: Sendable {
    private let point: FaultPoint
    private let isClosed = Mutex(false)
    private let reached = DispatchSemaphore(value: 0)
    private let released = DispatchSemaphore(value: 0)

    init(at point: FaultPoint) {
        self.point = point
    }

    /// For the store's configuration.
    var hooks: FaultHooks {
        FaultHooks { point in
            guard point == self.point else { return nil }
            let mustWait = self.isClosed.withLock { isClosed in
                defer { isClosed = false }
                return isClosed
            }
            guard mustWait else { return nil }
            self.reached.signal()
            self.released.wait()
            return nil
        }
    }

    /// The next thread that comes by is stopped.
    func close() {
        isClosed.withLock { $0 = true }
    }

    /// Waits until a thread is stopped.
    func waitUntilReached() async {
        await withCheckedContinuation { continuation in
            DispatchQueue.global().async {
                self.reached.wait()
                continuation.resume()
            }
        }
    }

    /// Lets the stopped thread go on.
    func open() {
        released.signal()
    }
}
