internal import Synchronization

/// Times of the last ten seconds, in buckets that are at most a sixteenth wide.
///
/// One set of buckets a second, in a ring: what is older than ten seconds falls out of the sums.
final class LatencyWindow: Sendable {
    /// What a window holds.
    struct Summary: Equatable {
        var count: UInt64 = 0
        var p50: UInt64 = 0
        var p99: UInt64 = 0
        var p999: UInt64 = 0
        var maximum: UInt64 = 0
    }

    private struct Slot {
        /// The second that the slot belongs to.
        var second: Int64 = .min
        var counts: [UInt32] = []
        var maximum: UInt64 = 0
    }

    static let seconds = 10
    /// Microseconds up to 2³⁶, which is 19 hours.
    static let bucketCount = 16 + (36 - 4) * 16

    private let slots = Mutex([Slot](repeating: Slot(), count: seconds + 1))

    /// - Parameters:
    ///   - microseconds: the time that it took.
    ///   - count: how many took so long.
    ///   - second: the time of day, on any clock that goes forward.
    func record(microseconds: UInt64, count: Int = 1, second: Int64) {
        let bucket = Self.bucket(of: microseconds)
        slots.withLock { slots in
            let place = Int(second % Int64(slots.count))
            if slots[place].second != second {
                slots[place] = Slot(
                    second: second, counts: [UInt32](repeating: 0, count: Self.bucketCount))
            }
            slots[place].counts[bucket] &+= UInt32(clamping: count)
            slots[place].maximum = max(slots[place].maximum, microseconds)
        }
    }

    /// What was recorded in the ten seconds before `second`, and in it.
    func summary(second: Int64) -> Summary {
        var counts = [UInt64](repeating: 0, count: Self.bucketCount)
        var summary = Summary()
        slots.withLock { slots in
            for slot in slots where slot.second > second - Int64(Self.seconds) {
                guard slot.second <= second else { continue }
                for bucket in counts.indices { counts[bucket] += UInt64(slot.counts[bucket]) }
                summary.maximum = max(summary.maximum, slot.maximum)
            }
        }
        summary.count = counts.reduce(0, +)
        guard summary.count > 0 else { return Summary() }
        summary.p50 = Self.quantile(500, counts, summary)
        summary.p99 = Self.quantile(990, counts, summary)
        summary.p999 = Self.quantile(999, counts, summary)
        return summary
    }

    /// The largest value of the bucket in which so many thousandths of all lie.
    private static func quantile(
        _ thousandths: UInt64, _ counts: [UInt64], _ summary: Summary
    ) -> UInt64 {
        let rank = (summary.count * thousandths + 999) / 1_000
        var below: UInt64 = 0
        for (bucket, count) in counts.enumerated() {
            below += count
            if below >= rank { return min(bound(of: bucket), summary.maximum) }
        }
        return summary.maximum
    }

    static func bucket(of value: UInt64) -> Int {
        guard value >= 16 else { return Int(value) }
        let exponent = 63 - value.leadingZeroBitCount
        let part = Int(value >> UInt64(exponent - 4)) & 15
        return min(16 + (exponent - 4) * 16 + part, bucketCount - 1)
    }

    /// The largest value that falls into the bucket.
    static func bound(of bucket: Int) -> UInt64 {
        guard bucket >= 16 else { return UInt64(bucket) }
        let exponent = UInt64((bucket - 16) / 16)
        let part = UInt64((bucket - 16) % 16)
        return ((16 + part + 1) << exponent) - 1
    }
}
