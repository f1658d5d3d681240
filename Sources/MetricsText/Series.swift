internal import CoreMetrics
internal import Synchronization

/// One name with one set of labels.
protocol Series: AnyObject, Sendable {
    func write(_ name: String, _ dimensions: Dimensions, to page: inout String)
}

final class CounterSeries: Series, CounterHandler {
    private let value = Atomic<Int64>(0)

    func increment(by amount: Int64) {
        guard amount > 0 else { return }
        value.wrappingAdd(amount, ordering: .relaxed)
    }

    func reset() { value.store(0, ordering: .relaxed) }

    func write(_ name: String, _ dimensions: Dimensions, to page: inout String) {
        page += "\(name)\(dimensions.braced) \(value.load(ordering: .relaxed))\n"
    }
}

final class FloatingCounterSeries: Series, FloatingPointCounterHandler {
    private let value = Mutex(0.0)

    func increment(by amount: Double) {
        guard amount > 0, amount.isFinite else { return }
        value.withLock { $0 += amount }
    }

    func reset() { value.withLock { $0 = 0 } }

    func write(_ name: String, _ dimensions: Dimensions, to page: inout String) {
        page += "\(name)\(dimensions.braced) \(MetricName.number(value.withLock { $0 }))\n"
    }
}

final class GaugeSeries: Series, MeterHandler, RecorderHandler {
    private let value = Mutex(0.0)

    func set(_ value: Int64) { set(Double(value)) }
    func set(_ value: Double) { self.value.withLock { $0 = value } }
    func increment(by amount: Double) { value.withLock { $0 += amount } }
    func decrement(by amount: Double) { value.withLock { $0 -= amount } }
    func record(_ value: Int64) { set(Double(value)) }
    func record(_ value: Double) { set(value) }

    func write(_ name: String, _ dimensions: Dimensions, to page: inout String) {
        page += "\(name)\(dimensions.braced) \(MetricName.number(value.withLock { $0 }))\n"
    }
}

/// What a histogram's buckets stand for: each is twice the one before.
enum BucketScale: Sendable {
    /// From 1 to 2²⁴.
    case sizes
    /// From 2³ µs (8 µs) to 2²⁵ µs (34 s).
    case seconds

    var bounds: [Double] {
        switch self {
        case .sizes: (0...24).map { Double(UInt64(1) << $0) }
        case .seconds: (3...25).map { Double(UInt64(1) << $0) / 1_000_000 }
        }
    }
}

final class HistogramSeries: Series, RecorderHandler, TimerHandler {
    private struct State {
        var counts: [UInt64]
        var sum = 0.0
        var count: UInt64 = 0
    }

    private let bounds: [Double]
    private let state: Mutex<State>

    init(_ scale: BucketScale) {
        bounds = scale.bounds
        state = Mutex(State(counts: [UInt64](repeating: 0, count: bounds.count)))
    }

    func record(_ value: Int64) { record(Double(value)) }

    func record(_ value: Double) {
        guard value.isFinite else { return }
        let bucket = bucket(of: value)
        state.withLock { state in
            if bucket < bounds.count { state.counts[bucket] += 1 }
            state.count += 1
            state.sum += value
        }
    }

    func recordNanoseconds(_ duration: Int64) { record(Double(max(0, duration)) / 1e9) }

    /// The first bucket whose bound is not below the value.
    private func bucket(of value: Double) -> Int {
        var low = 0
        var high = bounds.count
        while low < high {
            let middle = (low + high) / 2
            if bounds[middle] < value { low = middle + 1 } else { high = middle }
        }
        return low
    }

    func write(_ name: String, _ dimensions: Dimensions, to page: inout String) {
        let state = state.withLock { $0 }
        var below: UInt64 = 0
        for (bound, count) in zip(bounds, state.counts) {
            below += count
            let braces = dimensions.braced(adding: "le", MetricName.number(bound))
            page += "\(name)_bucket\(braces) \(below)\n"
        }
        page += "\(name)_bucket\(dimensions.braced(adding: "le", "+Inf")) \(state.count)\n"
        page += "\(name)_sum\(dimensions.braced) \(MetricName.number(state.sum))\n"
        page += "\(name)_count\(dimensions.braced) \(state.count)\n"
    }
}
