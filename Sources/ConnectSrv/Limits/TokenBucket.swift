/// A rate with a burst: tokens that come back with time, of which each piece of work takes some.
struct TokenBucket: Sendable {
    private let perMillisecond: Double
    private let capacity: Double
    private var tokens: Double
    private var updatedMilliseconds: Int64

    /// A full bucket.
    init(_ rate: ConnectLimits.Rate, nowMilliseconds: Int64) {
        perMillisecond = rate.perSecond / 1_000
        capacity = rate.burst
        tokens = rate.burst
        updatedMilliseconds = nowMilliseconds
    }

    /// Takes tokens. Something larger than the whole burst passes when the bucket is full, and
    /// leaves a debt.
    ///
    /// - Returns: nil when they were there; else, with nothing taken, the milliseconds until they
    ///   are, at least 1.
    mutating func take(_ amount: Double, nowMilliseconds: Int64) -> Int64? {
        refill(nowMilliseconds)
        let wanted = min(amount, capacity)
        guard tokens < wanted else {
            tokens -= amount
            return nil
        }
        let wait = (wanted - tokens) / perMillisecond
        return Int64(min(max(1, wait.rounded(.up)), 3_600_000))
    }

    /// Gives back what was taken for work that was refused elsewhere.
    mutating func give(_ amount: Double) { tokens = min(capacity, tokens + amount) }

    private mutating func refill(_ nowMilliseconds: Int64) {
        let elapsed = max(0, nowMilliseconds - updatedMilliseconds)
        updatedMilliseconds = max(updatedMilliseconds, nowMilliseconds)
        tokens = min(capacity, tokens + Double(elapsed) * perMillisecond)
    }
}

/// The buckets of requests and of bytes of one connection, account or address.
struct TrafficBuckets: Sendable {
    private var requests: TokenBucket
    private var bytes: TokenBucket

    init(_ traffic: ConnectLimits.Traffic, nowMilliseconds: Int64) {
        requests = TokenBucket(traffic.requests, nowMilliseconds: nowMilliseconds)
        bytes = TokenBucket(traffic.bytes, nowMilliseconds: nowMilliseconds)
    }

    /// Takes one request of so many bytes.
    ///
    /// - Returns: nil when both were there; else, with nothing taken, the milliseconds to wait.
    mutating func take(byteCount: Int, nowMilliseconds: Int64) -> Int64? {
        if let wait = requests.take(1, nowMilliseconds: nowMilliseconds) { return wait }
        if let wait = bytes.take(Double(byteCount), nowMilliseconds: nowMilliseconds) {
            requests.give(1)
            return wait
        }
        return nil
    }
}
