internal import Synchronization

/// The time that ages messages: never further on than the clock, and never further on than it was
/// plus the time that went by. So a clock that jumps lets nothing expire early.
///
/// It is looked at whenever a message gets its timestamp, and is not above it then. From there on
/// it moves no faster than time does: no message ever seems older than it is. A clock that is set
/// back takes it along; when that one is set right again it stays behind, and messages stay longer,
/// until the store is opened anew. What it was before is not kept: an open takes the clock for
/// right.
final class RetentionTime: Sendable {
    private struct State {
        var time: Int64
        var elapsed: Int64
    }

    private let clock: any MillisecondClock
    private let state: Mutex<State>

    init(_ clock: any MillisecondClock) {
        self.clock = clock
        state = Mutex(State(time: clock.now(), elapsed: clock.elapsedMilliseconds()))
    }

    /// The clock's time, for a timestamp.
    func stamp() -> Int64 { observe().stamp }

    /// The time to take a message's age from.
    func now() -> Int64 { observe().time }

    private func observe() -> (stamp: Int64, time: Int64) {
        state.withLock { state in
            let stamp = clock.now()
            let elapsed = clock.elapsedMilliseconds()
            // A clock of somebody's own may say anything: sums wrap rather than stop the store.
            state.time = min(stamp, state.time &+ (elapsed &- state.elapsed))
            state.elapsed = elapsed
            return (stamp, state.time)
        }
    }
}
