import NIOCore

/// Latency at a steady rate, and throughput.
struct MessagesSection {
    let driver: Driver
    let command: EndToEndBench

    /// How many messages of each device are under way; the best way counts.
    private static let windows = [2, 6]

    func run() async throws {
        try await driver.run { $0.load.connect($0.clients, atOnce: 64) }
        try await latency()
        var best = 0.0
        for window in Self.windows { best = max(best, try await throughput(window)) }
        say("e2e.throughput.msgs_per_s", best)
        let counts = try await driver.read { $0.load.counts }
        say("e2e.count.sent", Double(counts.sent))
        say("e2e.count.stored", Double(counts.accepted))
        say("e2e.count.pushed", Double(counts.pushed))
        say("e2e.count.fetched", Double(counts.fetched))
        say("e2e.count.acknowledged", Double(counts.acknowledged))
    }

    private func latency() async throws {
        let before = Usage(of: command.server)
        let began = ContinuousClock.now
        let latencies = try await driver.latencies(rate: command.rate, seconds: command.seconds)
        let after = Usage(of: command.server)
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        say("e2e.latency.p50_ms", latencies.pushed[0], digits: 3)
        say("e2e.latency.p99_ms", latencies.pushed[1], digits: 3)
        say("e2e.latency.p999_ms", latencies.pushed[2], digits: 3)
        say("e2e.ack.p50_ms", latencies.accepted[0], digits: 3)
        say("e2e.ack.p99_ms", latencies.accepted[1], digits: 3)
        say(
            "e2e.latency.server_cores",
            (after.processorSeconds - before.processorSeconds) / seconds, digits: 3)
    }

    private func throughput(_ window: Int) async throws -> Double {
        let seconds = command.seconds / 2
        let server = Usage(of: command.server)
        let client = Usage(of: nil)
        let before = try await driver.read { $0.load.counts.acknowledged }
        let (rate, share) = try await driver.run { world in
            ClosedLoop(world.load, world.clients, window: window).run(seconds: seconds)
                .map { ($0.rate, $0.pushedShare) }
        }
        let count = Double(try await driver.read { $0.load.counts.acknowledged } - before)
        let name = "e2e.throughput.window\(window)"
        func microseconds(_ before: Usage, _ after: Usage) -> Double {
            (after.processorSeconds - before.processorSeconds) * 1_000_000 / max(1, count)
        }
        say("\(name).msgs_per_s", rate)
        say("\(name).pushed_share", share, digits: 4)
        say("\(name).server_cpu_us", microseconds(server, Usage(of: command.server)), digits: 1)
        say("\(name).client_cpu_us", microseconds(client, Usage(of: nil)), digits: 1)
        return rate
    }
}

/// What idle connections take, what they do to others, and how long they need to come back.
struct ConnectionsSection {
    let driver: Driver
    let command: EndToEndBench

    /// How often latency is measured with the idle devices, and without: the medians count, for one
    /// stall of the disk decides a p99.
    private static let rounds = 3

    func run() async throws {
        try await driver.run { $0.load.connect($0.clients, atOnce: 64) }
        let without = try await p99()
        try await driver.wait(seconds: 1)
        let before = Usage(of: command.server)
        try await driver.run { $0.load.connect($0.idle, atOnce: 64) }
        try await driver.wait(seconds: 1)
        let after = Usage(of: command.server)
        let with = try await p99()
        say("connect.idle.connections", Double(command.idle))
        say(
            "connect.idle.kib_per_connection",
            (after.residentBytes - before.residentBytes) / 1_024 / Double(command.idle), digits: 1)
        say("connect.idle.p99_without_ms", without, digits: 3)
        say("connect.idle.p99_with_ms", with, digits: 3)
        say("connect.idle.p99_ratio", with / max(0.001, without), digits: 2)
        try await storm()
    }

    private func p99() async throws -> Double {
        var values: [Double] = []
        for _ in 0..<Self.rounds {
            let latencies = try await driver.latencies(
                rate: command.rate, seconds: command.seconds)
            values.append(latencies.pushed[1])
        }
        return values.sorted()[Self.rounds / 2]
    }

    /// All idle devices are cut off, and connect again at once: upgrade, hello, and a sync, as
    /// every device does that comes back.
    private func storm() async throws {
        let server = Usage(of: command.server)
        let retries = try await driver.read { $0.load.counts.retries }
        let began = ContinuousClock.now
        try await driver.run { world in
            for device in world.idle { device.cut() }
            world.load.syncsFirst = true
            return world.load.connect(world.idle, atOnce: world.idle.count)
        }
        let seconds = (ContinuousClock.now - began) / .seconds(1)
        let again = try await driver.read { $0.load.counts.retries } - retries
        let processor = Usage(of: command.server).processorSeconds - server.processorSeconds
        say("connect.storm.seconds", seconds, digits: 2)
        say("connect.storm.retries", Double(again))
        say(
            "connect.storm.server_cpu_us", processor * 1_000_000 / Double(command.idle),
            digits: 1)
    }
}
