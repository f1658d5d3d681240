import Mailbox
import StoreAPI

/// Durable appends over the client's stream: tasks that each send a batch and wait for its answers.
struct AppendStream {
    let target: StoreClientConfiguration.Target
    let seconds: Double

    /// Ways to drive it; the best counts, as for the peers.
    private static let ways = [(tasks: 4, batch: 1_024), (tasks: 6, batch: 2_048)]

    func run() async throws {
        let traffic = try Traffic()
        try await withStoreClient(StoreClientConfiguration(target)) { client in
            _ = try await measure(client, traffic, Self.ways[0], for: .seconds(min(1, seconds)))
            var best = 0.0
            for way in Self.ways {
                let share = Duration.seconds(seconds / Double(Self.ways.count))
                let rate = try await measure(client, traffic, way, for: share)
                say("append.stream.\(way.tasks)x\(way.batch)", rate)
                best = max(best, rate)
            }
            say("daemon.append.stream.msgs_per_s", best)
            say("daemon.append.tasks.msgs_per_s", try await single(client, traffic))
        }
    }

    private func measure(
        _ client: StoreClient, _ traffic: Traffic, _ way: (tasks: Int, batch: Int),
        for duration: Duration
    ) async throws -> Double {
        let start = ContinuousClock.now
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<way.tasks {
                group.addTask {
                    var generator = FastRandom(seed: UInt64(task + 1))
                    var count = 0
                    while ContinuousClock.now - start < duration {
                        let batch = (0..<way.batch).map { _ in traffic.append(&generator) }
                        for outcome in try await client.append(batch: batch) {
                            guard try outcome.get().durability == .commit else {
                                throw StoreError.invalidArgument("the daemon is not durable")
                            }
                        }
                        count += way.batch
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(total) / elapsed(ContinuousClock.now - start)
    }

    /// 1 000 tasks, each awaiting its own append.
    private func single(_ client: StoreClient, _ traffic: Traffic) async throws -> Double {
        let start = ContinuousClock.now
        let duration = Duration.seconds(seconds / 4)
        let total = try await withThrowingTaskGroup(of: Int.self) { group in
            for task in 0..<1_000 {
                group.addTask {
                    var generator = FastRandom(seed: UInt64(task + 1))
                    var count = 0
                    while ContinuousClock.now - start < duration {
                        _ = try await client.append(traffic.append(&generator))
                        count += 1
                    }
                    return count
                }
            }
            return try await group.reduce(0, +)
        }
        return Double(total) / elapsed(ContinuousClock.now - start)
    }
}
