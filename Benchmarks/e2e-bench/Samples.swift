/// Times in nanoseconds, all of them kept.
struct Samples {
    private var values: [Int64] = []
    var count: Int { values.count }

    mutating func add(_ nanoseconds: Int64) { values.append(nanoseconds) }

    /// The quantiles at some shares, in milliseconds; 0 when there is nothing.
    func milliseconds(at shares: [Double]) -> [Double] {
        let sorted = values.sorted()
        guard !sorted.isEmpty else { return shares.map { _ in 0 } }
        return shares.map { share in
            let place = min(sorted.count - 1, Int(Double(sorted.count) * share))
            return Double(sorted[place]) / 1_000_000
        }
    }
}

/// A small generator: drawing the load must not cost what is measured.
struct FastRandom: RandomNumberGenerator {
    private var state: UInt64
    init(seed: UInt64) { state = seed &* 0x9E37_79B9_7F4A_7C15 | 1 }

    mutating func next() -> UInt64 {
        state ^= state << 13
        state ^= state >> 7
        state ^= state << 17
        return state
    }
}
