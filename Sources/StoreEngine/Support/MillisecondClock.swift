internal import Glibc

/// Where a store takes the time from. Clocks decide retention and display, never order or delivery.
public protocol MillisecondClock: Sendable {
    /// Milliseconds since 1970. May jump; the store keeps each mailbox's timestamps non-decreasing.
    func now() -> Int64

    /// Milliseconds since some moment: never jumps, and goes on while the machine sleeps.
    ///
    /// Bounds how fast messages age when `now` jumps. Without one of its own a clock answers `now`,
    /// and is taken for one that does not jump.
    func elapsedMilliseconds() -> Int64
}

extension MillisecondClock {
    /// The same as `now`.
    public func elapsedMilliseconds() -> Int64 { now() }
}

/// The system's clocks: `clock_gettime` of `CLOCK_REALTIME`, and of `CLOCK_BOOTTIME` for the time
/// that went by.
public struct SystemMillisecondClock: MillisecondClock {
    /// The system's clock.
    public init() {}

    /// Milliseconds since 1970.
    public func now() -> Int64 { Self.milliseconds(CLOCK_REALTIME) }

    /// Milliseconds since the machine was started, sleep included.
    public func elapsedMilliseconds() -> Int64 { Self.milliseconds(CLOCK_BOOTTIME) }

    private static func milliseconds(_ clock: clockid_t) -> Int64 {
        var time = timespec()
        unsafe clock_gettime(clock, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
