import MailboxTesting
import Testing

@Suite("What tests are made with")
struct SeededRandomTests {
    @Test("The same seed gives the same numbers, on every machine")
    func repeats() {
        var random = SeededRandom(seed: 1_234_567)
        // The generator's published test values.
        #expect(
            (0..<3).map { _ in random.next() } == [
                6_457_827_717_110_365_317, 3_203_168_211_198_807_973, 9_817_491_932_198_370_423,
            ])
        var one = SeededRandom(seed: 5)
        var other = SeededRandom(seed: 5)
        #expect(one.bytes(100) == other.bytes(100))
        #expect(one.bytes(7).count == 7)
    }

    @Test("A skewed index stays below its bound, and favours the first")
    func skewed() {
        var random = SeededRandom(seed: 2)
        var counts = [Int](repeating: 0, count: 10)
        for _ in 0..<10_000 { counts[random.skewedIndex(below: 10)] += 1 }
        #expect(counts.allSatisfy { $0 > 0 })
        #expect(counts[0] > 4_000)
        #expect(random.skewedIndex(below: 1) == 0)
    }

    @Test("A clock moves when it is told to")
    func clock() {
        let clock = ManualClock(100)
        clock.advance(5)
        clock.advance(-10)
        #expect(clock.now() == 95)
        clock.set(7)
        #expect(clock.now() == 7)
    }

    @Test("A fault strikes at its point's n-th reach, and once or for good")
    func faultPlan() {
        let once = FaultPlan(point: "write", occurrence: 2, isLasting: false)
        #expect(
            ["write", "sync", "write", "write", "sync"].map { once.reach($0) } == [
                false, false, true, false, false,
            ])
        let lasting = FaultPlan(point: "write", occurrence: 2)
        #expect(
            ["write", "sync", "write", "sync", "write"].map { lasting.reach($0) } == [
                false, false, true, true, true,
            ])
        #expect(lasting.hasFired)
        let third = FaultPlan(point: nil, occurrence: 3)
        #expect(["a", "b", "c"].map { third.reach($0) } == [false, false, true])
        let counting = FaultPlan.counting()
        #expect(["a", "b", "a"].map { counting.reach($0) } == [false, false, false])
        #expect(counting.reached == ["a": 2, "b": 1])
        #expect(!counting.hasFired)
    }

    @Test("The same seed gives the same operations")
    func operations() {
        func list(_ seed: UInt64) -> [String] {
            var generator = OperationGenerator(
                seed: seed, universe: Universe(seed: seed), bodyBytesMaximum: 100)
            return generator.operations(50).map { "\($0)" }.filter { !$0.contains("sync(") }
        }
        #expect(list(1) == list(1))
        #expect(list(1) != list(2))
    }
}
