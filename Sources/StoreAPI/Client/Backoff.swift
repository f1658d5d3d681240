/// How long to wait before the next attempt: drawn at random between nothing and a bound that
/// doubles with every failure (exponential backoff with full jitter).
struct Backoff {
    private let initial: Duration
    private let maximum: Duration
    private var failures = 0

    init(_ configuration: StoreClientConfiguration) {
        initial = configuration.backoffInitial
        maximum = configuration.backoffMaximum
    }

    /// An attempt went well: the next wait is short again.
    mutating func reset() { failures = 0 }

    /// The wait after one more failure.
    mutating func next() -> Duration {
        defer { failures = min(failures + 1, 30) }
        let bound = min(maximum, initial * (1 << failures))
        return bound * Double.random(in: 0...1)
    }
}
