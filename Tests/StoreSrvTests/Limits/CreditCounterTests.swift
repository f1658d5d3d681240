import ServiceHost
import Testing

@Suite("Credit")
struct CreditCounterTests {
    @Test("Who comes when it is used up waits, in turn")
    func turns() async throws {
        let credit = CreditCounter(maximum: 10)
        try await credit.take(6)
        try await credit.take(4)
        let (order, continuation) = AsyncStream.makeStream(of: Int.self)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<2 {
                group.addTask {
                    try await credit.take(5)
                    continuation.yield(number)
                    credit.give(5)
                }
            }
            credit.give(6)
            credit.give(4)
            try await group.waitForAll()
        }
        continuation.finish()
        #expect(await order.reduce(into: Set<Int>()) { $0.insert($1) } == [0, 1])
        #expect(credit.taken == 0)
    }

    @Test("What is larger than all passes alone")
    func large() async throws {
        let credit = CreditCounter(maximum: 10)
        try await credit.take(100)
        let second = Task { try await credit.take(1) }
        credit.give(100)
        try await second.value
        #expect(credit.taken == 1)
    }

    @Test("Cancelling takes a waiter out of the line, and lets those behind it go on")
    func cancel() async throws {
        let credit = CreditCounter(maximum: 10)
        try await credit.take(8)
        for _ in 0..<200 {
            let large = Task { try await credit.take(10) }
            let small = Task { try await credit.take(1) }
            large.cancel()
            await #expect(throws: CancellationError.self) { try await large.value }
            try await small.value
            credit.give(1)
        }
        #expect(credit.taken == 8)
    }

    @Test("Under many tasks, never more than the maximum is out")
    func many() async throws {
        let credit = CreditCounter(maximum: 16)
        try await withThrowingTaskGroup(of: Void.self) { group in
            for number in 0..<200 {
                group.addTask {
                    for round in 0..<50 {
                        let amount = (number + round) % 7 + 1
                        try await credit.take(amount)
                        #expect(credit.taken <= 16)
                        credit.give(amount)
                    }
                }
            }
            try await group.waitForAll()
        }
        #expect(credit.taken == 0)
    }
}
