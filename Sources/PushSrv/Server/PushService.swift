internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import SwiftProtobuf

/// The methods of PushSrv.
struct PushService: RegistrableRPCService {
    typealias Method = Wire.PushService.Method

    let core: PushCore

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerProtobufStream(Method.Notify.descriptor, core, notify)
        router.registerProtobufStream(Method.Attach.descriptor, core, attach)
        router.registerUnary(Method.RegisterDevice.descriptor, core, registerDevice)
        router.registerUnary(Method.UnregisterDevice.descriptor, core, unregisterDevice)
    }

    @Sendable
    func registerDevice(
        _ request: Wire.RegisterDeviceRequest
    ) async throws -> Method.RegisterDevice.Output {
        try await core.hub.register(try PushRegistration(wire: request))
        return .init()
    }

    @Sendable
    func unregisterDevice(
        _ request: Method.UnregisterDevice.Input
    ) async throws -> Method.UnregisterDevice.Output {
        try await core.hub.unregister(
            try Address(wire: request.account, field: "account"),
            device: try DeviceID(wire: request.device))
        return .init()
    }

    /// A push that is none ends the call: who sent it is of another contract.
    ///
    /// A call that breaks off may be a SendSrv that died with stored messages in its hands.
    @Sendable
    func notify(
        _ requests: RPCAsyncSequence<Wire.NotifyRequest, any Error>,
        _ answers: RPCWriter<Method.Notify.Output>
    ) async throws {
        try await endingWithCall {
            var taken: UInt64 = 0
            var dropped: UInt64 = 0
            var isComplete = false
            defer {
                // Who sent none has none: ConnectSrv has such a call, too.
                if !isComplete, taken + dropped > 0 { core.hub.lookForEverybody() }
            }
            for try await request in requests {
                if request.isIncomplete { core.hub.lookForEverybody() }
                for push in request.pushes {
                    if core.hub.take(try Push(wire: push)) { taken += 1 } else { dropped += 1 }
                }
            }
            isComplete = !Task.isCancelled
            let answer = Method.Notify.Output.with {
                $0.taken = taken
                $0.dropped = dropped
            }
            try await answers.write(answer)
        }
    }

    /// Two halves: presence comes in, pushes go out. The attachment lasts as long as the call, and
    /// what waits for an instance that does not read is bounded: of what comes beyond that, a
    /// notice is left.
    @Sendable
    func attach(
        _ requests: RPCAsyncSequence<Wire.AttachRequest, any Error>,
        _ answers: RPCWriter<Wire.AttachResponse>
    ) async throws {
        let queue = core.hub.attachmentQueue()
        try await endingWithCall {
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { queue.close() }
                    try await hear(requests, queue)
                }
                group.addTask {
                    while let pushes = await queue.next() {
                        try await answers.write(.with { $0.pushes = pushes.map { Wire.Push($0) } })
                        if queue.takeLoss() { core.hub.lookForEverybody() }
                    }
                }
                defer { group.cancelAll() }
                while try await group.next() != nil {}
            }
        }
    }

    private func hear(
        _ requests: RPCAsyncSequence<Wire.AttachRequest, any Error>, _ queue: NotifyQueue
    ) async throws {
        var attachment: (any PushAttachment)?
        defer { attachment?.detach() }
        /// Who was online when the call began; nil once that is complete.
        var online: Set<Address>? = []
        for try await request in requests {
            if attachment == nil {
                let name = try Address(wire: request.instance, field: "instance").description
                attachment = core.hub.attach(name) { queue.add($0) }
            }
            for wire in request.changes {
                let change = try PresenceChange(wire: wire)
                attachment?.report(change)
                guard change.isOnline else { continue }
                if online == nil {
                    core.hub.lookForNewcomer(change.account)
                } else {
                    online?.insert(change.account)
                }
            }
            if request.isComplete, let accounts = online {
                core.hub.lookFor(accounts)
                online = nil
            }
        }
    }
}
