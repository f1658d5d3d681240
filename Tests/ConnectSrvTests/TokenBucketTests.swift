import Testing

@testable import ConnectSrv

@Suite("token buckets")
struct TokenBucketTests {
    private static let rate = ConnectLimits.Rate(perSecond: 10, burst: 5)

    @Test("give a burst, then the rate")
    func burstThenRate() {
        var bucket = TokenBucket(Self.rate, nowMilliseconds: 1_000)
        for _ in 0..<5 { #expect(bucket.take(1, nowMilliseconds: 1_000) == nil) }
        #expect(bucket.take(1, nowMilliseconds: 1_000) == 100)
        #expect(bucket.take(1, nowMilliseconds: 1_050) == 50)
        #expect(bucket.take(1, nowMilliseconds: 1_100) == nil)
        #expect(bucket.take(1, nowMilliseconds: 1_100) == 100)
    }

    @Test("hold no more than the burst, however long nobody takes")
    func capacity() {
        var bucket = TokenBucket(Self.rate, nowMilliseconds: 0)
        for _ in 0..<5 { #expect(bucket.take(1, nowMilliseconds: 1_000_000) == nil) }
        #expect(bucket.take(1, nowMilliseconds: 1_000_000) != nil)
    }

    @Test("let something larger than the burst pass when full, and then wait for all of it")
    func debt() {
        var bucket = TokenBucket(Self.rate, nowMilliseconds: 0)
        #expect(bucket.take(15, nowMilliseconds: 0) == nil)
        #expect(bucket.take(1, nowMilliseconds: 0) == 1_100)
        #expect(bucket.take(1, nowMilliseconds: 1_100) == nil)
    }

    @Test("stand still when the clock goes back")
    func backwards() {
        var bucket = TokenBucket(Self.rate, nowMilliseconds: 10_000)
        for _ in 0..<5 { #expect(bucket.take(1, nowMilliseconds: 10_000) == nil) }
        #expect(bucket.take(1, nowMilliseconds: 0) == 100)
        #expect(bucket.take(1, nowMilliseconds: 10_000) == 100)
    }

    @Test("a request that the bytes refuse takes no request")
    func together() {
        var buckets = TrafficBuckets(
            .init(requests: Self.rate, bytes: .init(perSecond: 1_000, burst: 100)),
            nowMilliseconds: 0)
        #expect(buckets.take(byteCount: 100, nowMilliseconds: 0) == nil)
        for _ in 0..<10 { #expect(buckets.take(byteCount: 50, nowMilliseconds: 0) == 50) }
        #expect(buckets.take(byteCount: 0, nowMilliseconds: 0) == nil)
    }

    @Test("a table counts connections by key, and forgets those that are gone")
    func table() throws {
        let table = TrafficTable<String>(
            .init(requests: Self.rate, bytes: Self.rate), connectionsMaximum: 2)
        let first = try #require(table.join("anna", nowMilliseconds: 0))
        let second = try #require(table.join("anna", nowMilliseconds: 0))
        #expect(first === second)
        #expect(table.join("anna", nowMilliseconds: 0) == nil)
        #expect(table.join("bob", nowMilliseconds: 0) != nil)
        table.leave("anna")
        #expect(table.join("anna", nowMilliseconds: 0) != nil)
        for _ in 0..<2 { table.leave("anna") }
        table.leave("bob")
        #expect(table.count == 0)
    }
}
