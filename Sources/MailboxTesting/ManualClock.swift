internal import Synchronization

/// A clock that stands still until a test moves it, either way.
public final class ManualClock: Sendable {
    private let milliseconds: Mutex<Int64>
    /// How far it was set away from the time that went by.
    private let jumps = Mutex<Int64>(0)

    /// - Parameter milliseconds: the time at first, since 1970.
    public init(_ milliseconds: Int64 = 1_750_000_000_000) {
        self.milliseconds = Mutex(milliseconds)
    }

    /// Milliseconds since 1970.
    public func now() -> Int64 {
        milliseconds.withLock { $0 }
    }

    /// The time that went by, whatever jumped.
    public func elapsedMilliseconds() -> Int64 {
        milliseconds.withLock { $0 } - jumps.withLock { $0 }
    }

    /// Is set forward by so many milliseconds, or back, while no time goes by.
    public func jump(_ milliseconds: Int64) {
        jumps.withLock { $0 += milliseconds }
        self.milliseconds.withLock { $0 += milliseconds }
    }

    /// Jumps to a time.
    public func set(_ milliseconds: Int64) {
        self.milliseconds.withLock { $0 = milliseconds }
    }

    /// Moves on by so many milliseconds, or back when they are negative.
    public func advance(_ milliseconds: Int64) {
        self.milliseconds.withLock { $0 += milliseconds }
    }
}
