import StoreEngine
import Synchronization

/// A clock that stands where the trace stands, so that heads show the trace's times.
final class TraceClock: MillisecondClock {
    private let milliseconds = Atomic<Int64>(0)

    /// The time of the newest message that was handed to the store.
    func now() -> Int64 { milliseconds.load(ordering: .relaxed) }

    /// Puts the clock forward; it never goes back.
    func advance(to time: Int64) {
        milliseconds.max(time, ordering: .relaxed)
    }
}
