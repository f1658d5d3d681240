import NIOCore

/// Each device has so many messages under way: as soon as one is accepted and received, it sends
/// the next.
final class ClosedLoop {
    /// What came of it.
    struct Figures {
        /// Messages that were sent, stored, received and acknowledged, a second.
        let rate: Double
        /// How many of them came by a push.
        let pushedShare: Double
    }

    private let load: Load
    private let devices: [Device]
    private let window: Int
    private var isOver = false

    init(_ load: Load, _ devices: [Device], window: Int) {
        self.load = load
        self.devices = devices
        self.window = window
    }

    /// Goes on for some seconds, and then until nothing is under way.
    func run(seconds: Double) -> EventLoopFuture<Figures> {
        load.done = { [self] device in if !isOver { send(device) } }
        for device in devices { for _ in 0..<window { send(device) } }
        let promise = load.eventLoop.makePromise(of: Figures.self)
        // What is measured begins when everything is under way.
        schedule(seconds / 5) { [self] in
            let (before, began) = (load.counts, load.now)
            schedule(seconds) { [self] in
                let (after, ended) = (load.counts, load.now)
                isOver = true
                load.done = nil
                let figures = Figures(
                    rate: Double(after.acknowledged - before.acknowledged) * 1_000_000_000
                        / Double(ended - began),
                    pushedShare: Double(after.pushed - before.pushed)
                        / Double(max(1, after.received - before.received)))
                load.settle(devices).map { figures }.cascade(to: promise)
            }
        }
        return promise.futureResult
    }

    private func schedule(_ seconds: Double, _ body: @escaping () -> Void) {
        load.eventLoop.assumeIsolated().scheduleTask(
            in: .nanoseconds(Int64(seconds * 1_000_000_000)), body)
    }

    private func send(_ device: Device) {
        let lane = device.outgoing[load.random(below: device.outgoing.count)]
        device.send(lane, due: load.now)
    }
}
