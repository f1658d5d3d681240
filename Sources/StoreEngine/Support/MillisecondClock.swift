internal import Glibc

/// Where a store takes the time from. Clocks decide retention and display, never order or delivery.
public protocol MillisecondClock: Sendable {
    /// Milliseconds since 1970. May jump; the store keeps each mailbox's timestamps non-decreasing.
    func now() -> Int64
}

/// The system's real-time clock (`clock_gettime(CLOCK_REALTIME)`).
public struct SystemMillisecondClock: MillisecondClock {
    /// The system's clock.
    public init() {}

    /// Milliseconds since 1970.
    public func now() -> Int64 {
        var time = timespec()
        unsafe clock_gettime(CLOCK_REALTIME, &time)
        return Int64(time.tv_sec) * 1_000 + Int64(time.tv_nsec) / 1_000_000
    }
}
