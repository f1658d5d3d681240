import NIOCore

/// The load, from outside of its event loop.
struct Driver: Sendable {
    /// What lives on the event loop.
    final class World {
        let load: Load
        let clients: [Device]
        let idle: [Device]

        init(load: Load, clients: [Device], idle: [Device]) {
            self.load = load
            self.clients = clients
            self.idle = idle
        }
    }

    private let loop: any EventLoop
    private let world: NIOLoopBound<World>

    init(
        loop: any EventLoop, address: SocketAddress, host: String, sizes: [Int],
        tokens: [String: String], clients: Int, idle: Int, peers: Int
    ) async throws {
        self.loop = loop
        world = try await loop.submit {
            let load = Load(eventLoop: loop, address: address, host: host, sizes: sizes)
            func devices(_ prefix: String, _ count: Int) throws -> [Device] {
                try (0..<count).map { number in
                    let name = "\(prefix)\(number)"
                    guard let token = tokens[name] else {
                        throw LoadError(description: "there is no token for \(name)")
                    }
                    return Device(name: name, number: number, token: token, load: load)
                }
            }
            let world = World(
                load: load, clients: try devices("u", clients), idle: try devices("i", idle))
            for device in world.clients {
                while device.outgoing.count < peers {
                    let other = world.clients[load.random(below: clients)]
                    if other !== device { device.writes(to: other) }
                }
            }
            return NIOLoopBound(world, eventLoop: loop)
        }.get()
    }

    /// Does something on the event loop, and waits for what comes of it.
    func run<Value: Sendable>(
        _ body: @escaping @Sendable (World) -> EventLoopFuture<Value>
    ) async throws -> Value {
        let value = try await loop.flatSubmit { [world] in body(world.value) }.get()
        try await loop.submit { [world] in try world.value.load.check() }.get()
        return value
    }

    /// Looks at something on the event loop.
    func read<Value: Sendable>(_ body: @escaping @Sendable (World) -> Value) async throws -> Value {
        try await loop.submit { [world] in body(world.value) }.get()
    }

    /// Waits, while the event loop goes on.
    func wait(seconds: Double) async throws {
        let time = TimeAmount.nanoseconds(Int64(seconds * 1_000_000_000))
        try await loop.scheduleTask(in: time) {}.futureResult.get()
    }

    /// Messages at a steady rate.
    ///
    /// - Returns: quantiles in milliseconds.
    func latencies(rate: Double, seconds: Double) async throws -> Latencies {
        try await run { world in
            OpenLoop(world.load, world.clients, rate: rate, seconds: seconds).run()
        }
        return try await read { world in
            Latencies(
                count: world.load.toPushed.count,
                pushed: world.load.toPushed.milliseconds(at: Latencies.shares),
                accepted: world.load.toAccepted.milliseconds(at: Latencies.shares))
        }
    }
}

/// Quantiles in milliseconds, from when a message was due.
struct Latencies: Sendable {
    static let shares = [0.5, 0.99, 0.999]
    let count: Int
    /// Until the other device had it.
    let pushed: [Double]
    /// Until its sender was told that it is durable.
    let accepted: [Double]
}
