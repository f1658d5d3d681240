import Mailbox
import StoreAPI

/// Fetches of 50 messages from mailboxes that hold 200, many calls at once.
struct Fetch {
    let target: StoreClientConfiguration.Target
    let seconds: Double
    private static let mailboxes = 2_000
    private static let depth = 200
    private static let count = 50
    /// How many fetches are under way: the best counts, as the best depth of a peer does.
    private static let ways = [
        (tasks: 4, batch: 64), (tasks: 8, batch: 64), (tasks: 16, batch: 64),
        (tasks: 6, batch: 128),
    ]

    func run() async throws {
        let traffic = try Traffic(mailboxes: Self.mailboxes)
        try await withStoreClient(StoreClientConfiguration(target)) { client in
            try await fill(client, traffic)
            // What filling left to be done in the background is no part of a fetch.
            try await client.checkpoint()
            var best = 0.0
            for way in Self.ways {
                let rate = try await measure(client, traffic, way)
                say("fetch.\(way.tasks)x\(way.batch)", rate)
                best = max(best, rate)
            }
            say("daemon.fetch.msgs_per_s", best)
        }
    }

    private func fill(_ client: StoreClient, _ traffic: Traffic) async throws {
        var generator = FastRandom(seed: 3)
        for _ in 0..<Self.depth {
            let batch = (0..<Self.mailboxes).map { traffic.append(to: $0, &generator) }
            for outcome in try await client.append(batch: batch) { _ = try outcome.get() }
        }
    }

    private func measure(
        _ client: StoreClient, _ traffic: Traffic, _ way: (tasks: Int, batch: Int)
    ) async throws -> Double {
        let start = ContinuousClock.now
        let duration = Duration.seconds(seconds / Double(Self.ways.count))
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<way.tasks {
                group.addTask {
                    var generator = FastRandom(seed: UInt64(task + 1))
                    var count = 0
                    while ContinuousClock.now - start < duration {
                        let calls = (0..<way.batch).map { _ in
                            FetchCall(
                                traffic[Int.random(in: 0..<traffic.count, using: &generator)],
                                cursor: .zero, limit: PageLimit(messages: Self.count))
                        }
                        for outcome in try await client.fetch(batch: calls) {
                            count += try Self.messages(of: try outcome.get())
                        }
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(total) / elapsed(ContinuousClock.now - start)
    }

    /// Looks at every body, as who fetches messages would.
    private static func messages(of answer: FetchResult) throws -> Int {
        var bytes = 0
        answer.messages.forEachBody { _, _, body in bytes += body.count }
        guard bytes == count * Traffic.bodyBytes else {
            throw StoreError.corrupted("a fetch of \(count) messages brought \(bytes) bytes")
        }
        return answer.messages.count
    }
}
