import ClientWire
import Foundation
import NIOCore
import NIOPosix

/// All devices of the load, and what is counted of them. On one event loop, all of it: nothing is
/// locked, nothing hops.
final class Load {
    /// What happened since the start.
    struct Counts {
        var sent = 0
        var accepted = 0
        /// Received by a push, and by a fetch.
        var pushed = 0
        var fetched = 0
        var acknowledged = 0
        /// Connections that had to be tried again.
        var retries = 0
        var received: Int { pushed + fetched }
    }

    let eventLoop: any EventLoop
    private let host: String
    private let address: SocketAddress
    private let bodies: [Data]
    private var random = FastRandom(seed: 1)
    private var dirty: [WebSocketLink] = []
    var epoch: UInt64 = 0
    /// Whether a device that connects asks for what waits before it counts as there.
    var syncsFirst = false
    var counts = Counts()
    /// From when a message was due, in nanoseconds.
    var toPushed = Samples()
    var toAccepted = Samples()
    var isMeasuring = false
    /// Called when a message is both accepted and received.
    var done: ((Device) -> Void)?
    private var failure: LoadError?
    private var connecting: Connecting?

    /// Devices on their way.
    private struct Connecting {
        var waiting: ArraySlice<Device>
        var missing: Int
        let promise: EventLoopPromise<Void>
    }

    /// - Parameter sizes: of the bodies, drawn from them.
    init(eventLoop: any EventLoop, address: SocketAddress, host: String, sizes: [Int]) {
        self.eventLoop = eventLoop
        self.address = address
        self.host = host
        var random = FastRandom(seed: 2)
        bodies = (0..<4_096).map { _ in
            let size = sizes.randomElement(using: &random) ?? 100
            return Data((0..<size).map { _ in UInt8.random(in: 32...126, using: &random) })
        }
    }

    var now: Int64 { Int64(NIODeadline.now().uptimeNanoseconds) }

    func body() -> Data { bodies[Int(random.next() % UInt64(bodies.count))] }

    func random(below bound: Int) -> Int { Int(random.next() % UInt64(bound)) }

    /// In (0, 1].
    func unit() -> Double { (Double(random.next() >> 11) + 1) / 9_007_199_254_740_992 }

    // MARK: Connecting

    /// Connects devices, so many at a time, and again those that fail.
    ///
    /// - Returns: when all are there.
    func connect(_ devices: [Device], atOnce: Int) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        connecting = Connecting(
            waiting: devices[...], missing: devices.count, promise: promise)
        for _ in 0..<min(atOnce, devices.count) { connectNext() }
        return promise.futureResult
    }

    private func connectNext() {
        guard let device = connecting?.waiting.popFirst() else { return }
        connect(device)
    }

    private func connect(_ device: Device) {
        let link = device.connect(host: host)
        let bound = NIOLoopBound(link, eventLoop: eventLoop)
        ClientBootstrap(group: eventLoop)
            .connectTimeout(.seconds(30))
            .channelOption(.tcpOption(.tcp_nodelay), value: 1)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    try channel.pipeline.syncOperations.addHandler(bound.value)
                }
            }
            .connect(to: address)
            .assumeIsolated()
            .whenFailure { device.failed(link, "\($0)") }
    }

    /// A device may be worked with.
    func isThere(_ device: Device) {
        connecting?.missing -= 1
        if connecting?.missing == 0 {
            connecting?.promise.succeed()
            connecting = nil
        } else {
            connectNext()
        }
    }

    /// A connection is over.
    func ended(_ device: Device, wasOpen: Bool, _ reason: String) {
        guard !wasOpen else { return fail("a connection ended: \(reason)") }
        guard connecting != nil else { return }
        counts.retries += 1
        guard counts.retries < 200_000 else { return fail("cannot connect: \(reason)") }
        let wait = TimeAmount.milliseconds(Int64(1 + random(below: 500)))
        eventLoop.assumeIsolated().scheduleTask(in: wait) { self.connect(device) }
    }

    // MARK: What happens

    func flushSoon(_ link: WebSocketLink) {
        dirty.append(link)
        guard dirty.count == 1 else { return }
        // Behind everything that is ready to be read in this turn.
        eventLoop.assumeIsolated().execute {
            let links = self.dirty
            self.dirty = []
            for link in links { link.flush() }
        }
    }

    func accepted(_ lane: Lane, _ clientSequence: UInt32) {
        guard let (due, isDone) = lane.accepted(clientSequence) else {
            return fail("a message was accepted twice")
        }
        counts.accepted += 1
        if isMeasuring { toAccepted.add(now - due) }
        if isDone { finish(lane) }
    }

    func received(_ lane: Lane, _ clientSequence: UInt32, isPushed: Bool) {
        guard let (due, isDone) = lane.received(clientSequence) else {
            return fail("a message was received twice, or never sent")
        }
        if isPushed { counts.pushed += 1 } else { counts.fetched += 1 }
        if isMeasuring { toPushed.add(now - due) }
        if isDone { finish(lane) }
    }

    func acknowledged(_ count: Int) { counts.acknowledged += count }

    private func finish(_ lane: Lane) {
        lane.sender.inFlight -= 1
        done?(lane.sender)
    }

    // MARK: The end

    /// The load does not go on.
    func fail(_ text: String) {
        guard failure == nil else { return }
        failure = LoadError(description: text)
        connecting?.promise.fail(LoadError(description: text))
        connecting = nil
    }

    /// Whether everything that was sent is accepted, received and acknowledged.
    var isQuiet: Bool {
        counts.sent == counts.accepted && counts.sent == counts.received
            && counts.sent == counts.acknowledged
    }

    /// - Throws: why the load does not go on.
    func check() throws { if let failure { throw failure } }

    /// Waits until nothing is under way. What is missing for two seconds is fetched: no push came.
    func settle(_ devices: [Device]) -> EventLoopFuture<Void> {
        let promise = eventLoop.makePromise(of: Void.self)
        settle(devices, promise, counts.acknowledged, 0)
        return promise.futureResult
    }

    private func settle(
        _ devices: [Device], _ promise: EventLoopPromise<Void>, _ last: Int, _ turn: Int
    ) {
        if let failure { return promise.fail(failure) }
        if isQuiet { return promise.succeed() }
        let isStuck = last == counts.acknowledged
        if isStuck, turn % 20 == 19 { for device in devices { device.fetchMissing() } }
        guard turn < 300 else {
            return promise.fail(LoadError(description: "messages are missing: \(counts)"))
        }
        let acknowledged = counts.acknowledged
        eventLoop.assumeIsolated().scheduleTask(in: .milliseconds(100)) {
            self.settle(devices, promise, acknowledged, isStuck ? turn + 1 : 0)
        }
    }
}

/// Why the load does not go on.
struct LoadError: Error, CustomStringConvertible {
    let description: String
}
