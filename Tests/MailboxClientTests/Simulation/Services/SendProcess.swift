import GRPCCore
import Logging
import Mailbox
import Metrics
import SwiftProtobuf

@testable import PushSrv
@testable import SendSrv
@testable import StoreAPI

/// SendSrv, and its streams to every PushSrv.
///
/// `@unchecked Sendable`: one thread runs a world.
final class SendProcess: SimulatedProcess, @unchecked Sendable {
    private(set) var sender: MessageSender!
    private let services: ServicesBackend
    /// So small that it overflows.
    private let queue = NotifyQueue(countMaximum: 4, bytesMaximum: 1 << 20)

    init(_ services: ServicesBackend) {
        self.services = services
        super.init()
        var configuration = SendConfiguration()
        configuration.lanes = 2
        configuration.batchMessagesMaximum = 5
        sender = MessageSender(
            storage: SimulatedStorage(services, self),
            facts: MessageSender.Facts { () async throws(StoreError) in
                ServicesBackend.bodyBytesTold
            },
            push: Handover(queue: queue), configuration: configuration,
            activity: SendActivity(metrics: NOOPMetricsHandler.instance))
        queue.noteLoss()
        onDeath { [queue] in queue.close() }
        for place in services.pushPlaces {
            services.start { await self.keepNotifying(place) }
        }
    }

    private struct Handover: PushNotifying {
        let queue: NotifyQueue

        func notify(_ push: Push) { queue.add(push) }

        func noteLoss() { queue.noteLoss() }
    }

    /// As `PushClient` does it.
    private func keepNotifying(_ place: Int) async {
        let handedOver = HandedOver()
        while isAlive {
            if let push = services.push(place) { await notify(push, handedOver) }
            let (pushes, isIncomplete) = handedOver.take()
            queue.mark(pushes)
            if isIncomplete { queue.noteLoss() }
            await services.world.pause(20...500)
        }
    }

    private func notify(_ push: PushProcess, _ handedOver: HandedOver) async {
        let call = SimulatedCall<Wire.NotifyRequest, Wire.PushService.Method.Notify.Output>(
            services.world, self, push)
        services.calls.append(call)
        let server = services.start { [service = push.service!] in
            try? await service.notify(call.incoming, call.writer)
            call.breakOff()
        }
        let writer = services.start { [queue] in
            while let pushes = await queue.next() {
                let isIncomplete = queue.takeLoss()
                handedOver.note(pushes, isIncomplete: isIncomplete)
                let request = Wire.NotifyRequest.with {
                    $0.pushes = pushes.map { Wire.Push($0) }
                    $0.isIncomplete = isIncomplete
                }
                do { try call.send(request) } catch { return }
            }
        }
        call.onBreak {
            writer.cancel()
            server.cancel()
        }
        await writer.value
        call.breakOff()
    }
}

/// SendSrv as ConnectSrv sees it over a network: frames keep their order, and what is under way
/// when the connection breaks is answered `unavailable`, whether it was done or not.
///
/// `@unchecked Sendable`: one thread runs a world.
final class SimulatedSendLine: MessageSending, @unchecked Sendable {
    typealias WhenDone = @Sendable (Result<AppendResult, StoreError>) -> Void

    private let services: ServicesBackend
    private unowned let process: SimulatedProcess
    private var lastArrival: Int64 = 0
    private var waiting: [Int: WhenDone] = [:]
    private var nextNumber = 0
    private var world: SimulatedWorld { services.world }

    /// - Parameter process: whose end of the line this is.
    init(_ services: ServicesBackend, _ process: SimulatedProcess) {
        self.services = services
        self.process = process
    }

    func send(_ append: Append, whenDone: @escaping WhenDone) {
        nextNumber += 1
        let number = nextNumber
        waiting[number] = whenDone
        guard let target = services.sender else { return fail(number, within: 1...50) }
        target.onDeath { [self] in fail(number, within: 1...300) }
        // An answer that is lost: the caller's patience ends.
        let isUnanswered = world.goesWrong(1)
        if isUnanswered { fail(number, within: 500...3_000) }
        lastArrival = max(lastArrival, world.now + world.draw(0...4))
        world.serverAfter(lastArrival - world.now) { [self] in
            guard target.isAlive else { return }
            target.sender.send(append) { [self] outcome in
                guard target.isAlive, !isUnanswered else { return }
                world.serverAfter(world.draw(0...4)) { [self] in finish(number, outcome) }
            }
        }
    }

    private func fail(_ number: Int, within delay: ClosedRange<Int64>) {
        guard waiting[number] != nil else { return }
        world.serverAfter(world.draw(delay)) { [self] in
            finish(number, .failure(Self.unavailable))
        }
    }

    private func finish(_ number: Int, _ outcome: Result<AppendResult, StoreError>) {
        waiting.removeValue(forKey: number)?(outcome)
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        await world.pause(1...4)
        guard let target = services.sender, !world.goesWrong(2) else { throw Self.unavailable }
        return try await target.sender.sendState(mailbox, device: device)
    }

    var bodyBytesMaximum: Int {
        get async throws(StoreError) {
            await world.pause(1...4)
            guard let target = services.sender, !world.goesWrong(2) else {
                throw Self.unavailable
            }
            return try await target.sender.bodyBytesMaximum
        }
    }

    private static let unavailable = StoreError(code: .unavailable, message: "no answer")
}
