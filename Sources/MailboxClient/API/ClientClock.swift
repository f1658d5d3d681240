import Foundation

/// Where a client's time comes from.
public protocol ClientClock: Sendable {
    /// Milliseconds that only ever go forward, whatever the date is set to; also while the machine
    /// rests, where the system can tell.
    func elapsedMilliseconds() -> Int64
    /// Milliseconds since 1970: for display and for tokens' expiry alone.
    func wallMilliseconds() -> Int64
    /// Returns when so many milliseconds went by, or throws when the task is cancelled.
    func wait(milliseconds: Int64) async throws
}

/// The machine's clocks.
public struct SystemClientClock: ClientClock {
    private let start = ContinuousClock.now

    /// The machine's clocks.
    public init() {}

    /// Milliseconds since this clock was made.
    public func elapsedMilliseconds() -> Int64 {
        let (seconds, attoseconds) = (ContinuousClock.now - start).components
        return seconds * 1_000 + attoseconds / 1_000_000_000_000_000
    }

    /// Milliseconds since 1970.
    public func wallMilliseconds() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1_000)
    }

    /// Waits on the machine's clock.
    public func wait(milliseconds: Int64) async throws {
        try await Task.sleep(for: .milliseconds(milliseconds))
    }
}
