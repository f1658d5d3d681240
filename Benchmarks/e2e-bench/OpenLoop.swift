import Foundation
import NIOCore

/// Messages that are due at times drawn beforehand (at random, so many a second on average),
/// whether or not those before them have arrived: a stall of the server is seen by all that were
/// due in it.
final class OpenLoop {
    private let load: Load
    private let devices: [Device]
    private let rate: Double
    private let warmUp: Int
    private var left: Int
    private var due: Double
    private let promise: EventLoopPromise<Void>

    /// - Parameters:
    ///   - rate: messages a second.
    ///   - seconds: how long is measured, after a warm-up of a fifth of it.
    init(_ load: Load, _ devices: [Device], rate: Double, seconds: Double) {
        self.load = load
        self.devices = devices
        self.rate = rate
        warmUp = Int(rate * seconds / 5)
        left = Int(rate * seconds) + warmUp
        due = Double(load.now)
        promise = load.eventLoop.makePromise()
    }

    /// Sends all of them.
    ///
    /// - Returns: when each arrived and was acknowledged.
    func run() -> EventLoopFuture<Void> {
        let measured = left - warmUp
        load.toPushed = Samples()
        load.toAccepted = Samples()
        sendDue(measured)
        let (load, devices) = (load, devices)
        return promise.futureResult.assumeIsolated().flatMap {
            load.settle(devices)
        }.map { load.isMeasuring = false }.nonisolated()
    }

    private func sendDue(_ measured: Int) {
        let now = Double(load.now)
        while left > 0, due <= now {
            if left == measured { load.isMeasuring = true }
            left -= 1
            let device = devices[load.random(below: devices.count)]
            let lane = device.outgoing[load.random(below: device.outgoing.count)]
            device.send(lane, due: Int64(due))
            due -= log(load.unit()) / rate * 1_000_000_000
        }
        guard left > 0 else { return promise.succeed() }
        let wait = TimeAmount.nanoseconds(Int64(max(1, due - Double(load.now))))
        load.eventLoop.assumeIsolated().scheduleTask(in: wait) { self.sendDue(measured) }
    }
}
