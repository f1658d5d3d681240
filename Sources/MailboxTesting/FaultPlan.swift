internal import Synchronization

/// Says when a test's fault strikes: at the n-th time that a named point is reached.
///
/// Knows nothing of what the points are or what the fault does: whoever reaches a point asks, and
/// fails when told.
public final class FaultPlan: Sendable {
    private struct State {
        var reached: [String: Int] = [:]
        var hasFired = false
    }

    private let point: String?
    private let occurrence: Int
    private let isLasting: Bool
    private let state = Mutex(State())

    /// - Parameters:
    ///   - point: the point that the fault waits for; nil counts every point.
    ///   - occurrence: the reach that it strikes at, from 1.
    ///   - isLasting: true when every reach after it fails as well: a process that died stays dead.
    public init(point: String?, occurrence: Int, isLasting: Bool = true) {
        self.point = point
        self.occurrence = occurrence
        self.isLasting = isLasting
    }

    /// A plan that never strikes: it counts how often each point is reached.
    public static func counting() -> FaultPlan {
        FaultPlan(point: nil, occurrence: .max)
    }

    /// Notes that a point is reached.
    ///
    /// - Returns: true when the fault strikes here.
    public func reach(_ name: String) -> Bool {
        state.withLock { state in
            state.reached[name, default: 0] += 1
            if state.hasFired { return isLasting }
            let count =
                point.map { state.reached[$0, default: 0] }
                ?? state.reached.values.reduce(0, +)
            guard point == nil || point == name, count == occurrence else { return false }
            state.hasFired = true
            return true
        }
    }

    /// True once the fault has struck.
    public var hasFired: Bool { state.withLock { $0.hasFired } }

    /// How often each point was reached.
    public var reached: [String: Int] { state.withLock { $0.reached } }
}
