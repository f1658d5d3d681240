internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import SwiftProtobuf

/// The methods of SendSrv.
struct SendService: RegistrableRPCService {
    typealias Method = Wire.SendService.Method

    let core: SendCore

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerUnary(Method.Send.descriptor, core, send)
        router.registerStream(
            Method.SendStream.descriptor, core, AppendFrameDeserializer(),
            AppendFrameAnswerSerializer(), sendStream)
        router.registerUnary(Method.GetSendState.descriptor, core, getSendState)
        router.registerUnary(Method.GetStoreInfo.descriptor, core, getStoreInfo)
    }

    @Sendable
    func send(_ request: Wire.AppendRequest) async throws -> Wire.AppendResponse {
        let append = try Append(wire: request.hasAppend ? request.append : nil)
        let result = try await core.sender.send(append)
        return .with { $0.result = Wire.AppendResult(result) }
    }

    @Sendable
    func getSendState(
        _ request: Wire.StoreService.Method.GetSendState.Input
    ) async throws -> Wire.StoreService.Method.GetSendState.Output {
        let mailbox = try MailboxID(wire: request.hasMailbox ? request.mailbox : nil)
        let device = try DeviceID(wire: request.device)
        let last = try await core.sender.sendState(mailbox, device: device)
        return .with { $0.lastClientSequence = last }
    }

    @Sendable
    func getStoreInfo(
        _ request: Wire.StoreService.Method.GetStoreInfo.Input
    ) async throws -> Wire.GetStoreInfoResponse {
        var info = try await core.info()
        info.requestBytesMaximum = min(info.requestBytesMaximum, core.requestBytesMaximum)
        return Wire.GetStoreInfoResponse(info)
    }

    /// Frames are handed over as they come, and answered in their order by another task. What is
    /// read and not answered is bounded: at the bound nothing is read, and HTTP/2 makes the client
    /// wait.
    @Sendable
    func sendStream(
        _ frames: RPCAsyncSequence<AppendFrame, any Error>,
        _ answers: RPCWriter<AppendFrameAnswer>
    ) async throws {
        let (handedOver, continuation) = AsyncStream.makeStream(of: SendFrame.self)
        let credit = CreditCounter(maximum: core.configuration.streamBytesMaximum)
        let reader = Task { () -> (any Error)? in
            defer { continuation.finish() }
            do {
                for try await frame in frames {
                    let sent = SendFrame(frame)
                    try await credit.take(sent.charge)
                    sent.begin(core.sender)
                    continuation.yield(sent)
                }
                try Task.checkCancellation()
                return nil
            } catch {
                return error
            }
        }
        // What was handed over is answered even when the call is cut off by the end of the server.
        try await withRPCCancellationHandler {
            await write(answers, handedOver, credit, reader)
            if let error = await reader.value { throw error }
        } onCancelRPC: {
            reader.cancel()
        }
    }

    private func write(
        _ answers: RPCWriter<AppendFrameAnswer>, _ frames: AsyncStream<SendFrame>,
        _ credit: CreditCounter, _ reader: Task<(any Error)?, Never>
    ) async {
        for await frame in frames {
            let outcomes = await frame.outcomes()
            do {
                try await answers.write(
                    AppendFrameAnswer(frame: frame.number, outcomes: outcomes))
            } catch {
                reader.cancel()
                return
            }
            credit.give(frame.charge)
        }
    }
}
