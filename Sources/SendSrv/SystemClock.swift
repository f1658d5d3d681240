internal import Foundation

/// The system's clock.
enum SystemClock {
    /// Milliseconds since 1970.
    static func milliseconds() -> Int64 { Int64(Date.now.timeIntervalSince1970 * 1_000) }
}
