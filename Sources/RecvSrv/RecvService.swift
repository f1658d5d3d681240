internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import SwiftProtobuf

/// The methods of RecvSrv.
struct RecvService: RegistrableRPCService {
    typealias Method = Wire.RecvService.Method
    typealias Store = Wire.StoreService.Method

    let core: RecvCore

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        router.registerUnary(Method.Fetch.descriptor, core, fetch)
        router.registerStream(
            Method.FetchStream.descriptor, core, FetchFrameDeserializer(),
            FetchFrameAnswerSerializer(), fetchStream)
        router.registerUnary(Method.Sync.descriptor, core, sync)
        router.registerUnary(Method.Acknowledge.descriptor, core, acknowledge)
        router.registerUnary(Method.ListInbox.descriptor, core, listInbox)
        router.registerUnary(Method.GetHead.descriptor, core, getHead)
        router.registerUnary(Method.Read.descriptor, core, read)
        router.registerUnary(Method.GetStoreInfo.descriptor, core, getStoreInfo)
    }

    @Sendable
    func fetch(_ request: Wire.FetchRequest) async throws -> Wire.FetchResponse {
        let started = ContinuousClock.now
        let call = try FetchCall(wire: request)
        let result = try await core.receiver.fetch(
            call.mailbox, cursor: call.cursor, limit: call.limit)
        core.activity.answered(result.messages.count, took: .now - started)
        return Wire.FetchResponse(result)
    }

    @Sendable
    func read(_ request: Wire.ReadRequest) async throws -> Wire.ReadResponse {
        let started = ContinuousClock.now
        let result = try await core.receiver.read(
            try MailboxID(wire: request.hasMailbox ? request.mailbox : nil), after: request.after,
            through: request.hasThrough ? request.through : nil,
            limit: PageLimit(wire: request.hasLimit ? request.limit : nil))
        core.activity.answered(result.messages.count, took: .now - started)
        return Wire.ReadResponse(result)
    }

    @Sendable
    func sync(_ request: Wire.SyncRequest) async throws -> Wire.SyncResponse {
        let started = ContinuousClock.now
        let result = try await core.receiver.sync(
            try Address(wire: request.receiver, field: "receiver"),
            cursors: try request.decodedCursors(),
            limit: PageLimit(wire: request.hasLimit ? request.limit : nil))
        core.activity.answered(
            result.entries.reduce(0) { $0 + $1.result.messages.count }, took: .now - started)
        return Wire.SyncResponse(result)
    }

    @Sendable
    func acknowledge(
        _ request: Store.Acknowledge.Input
    ) async throws -> Store.Acknowledge.Output {
        let head = try await core.receiver.acknowledge(
            try MailboxID(wire: request.hasMailbox ? request.mailbox : nil),
            through: try Cursor(wire: request.hasCursor ? request.cursor : nil))
        let epoch = try await core.info().epoch
        return .with {
            $0.head = Wire.Head(head)
            $0.epoch = epoch.rawValue
        }
    }

    @Sendable
    func getHead(_ request: Store.GetHead.Input) async throws -> Store.GetHead.Output {
        let head = try await core.receiver.head(
            try MailboxID(wire: request.hasMailbox ? request.mailbox : nil))
        let epoch = try await core.info().epoch
        return .with {
            $0.head = Wire.Head(head)
            $0.epoch = epoch.rawValue
        }
    }

    @Sendable
    func listInbox(_ request: Store.ListInbox.Input) async throws -> Wire.ListInboxResponse {
        let page = try await core.receiver.inbox(
            try Address(wire: request.receiver, field: "receiver"),
            after: request.after.isEmpty ? nil : try Address(wire: request.after, field: "after"),
            limit: request.limit == 0 ? 1_000 : Int(request.limit))
        return Wire.ListInboxResponse(page, epoch: try await core.info().epoch)
    }

    @Sendable
    func getStoreInfo(_ request: Store.GetStoreInfo.Input) async throws -> Wire.GetStoreInfoResponse
    {
        var info = try await core.info()
        info.requestBytesMaximum = min(info.requestBytesMaximum, core.requestBytesMaximum)
        return Wire.GetStoreInfoResponse(info)
    }

    /// Answers frames one after the other. The fetches of a frame are made a few at a time, and
    /// written in answers of about a mebibyte: a client that does not read costs one of them.
    @Sendable
    func fetchStream(
        _ frames: RPCAsyncSequence<FetchFrame, any Error>, _ answers: RPCWriter<FetchFrameAnswer>
    ) async throws {
        try await endingWithCall {
            for try await frame in frames {
                var pieces = FetchPieces(frame)
                repeat {
                    let outcomes = await next(&pieces)
                    try await answers.write(
                        FetchFrameAnswer(
                            frame: frame.frame, outcomes: outcomes, continues: !pieces.isEmpty))
                } while !pieces.isEmpty
            }
            try Task.checkCancellation()
        }
    }

    private func next(_ pieces: inout FetchPieces) async -> [FetchOutcome] {
        var outcomes: [FetchOutcome] = []
        var bytes = 0
        while !pieces.isEmpty, bytes < FetchPieces.answerBytes {
            let stretch = pieces.takeStretch()
            let fetched = await fetchAll(stretch)
            for outcome in fetched { bytes += FetchPieces.bytes(of: outcome) }
            outcomes += stretch.merged(fetched.map(\.relayed))
        }
        return outcomes
    }

    /// Fetches at the same time, answered in order.
    private func fetchAll(_ frame: FetchFrame) async -> [FetchOutcome] {
        let receiver = core.receiver
        let started = ContinuousClock.now
        let outcomes = await withTaskGroup(of: (Int, FetchOutcome).self) { group in
            for (place, call) in frame.fetches.enumerated() {
                group.addTask {
                    do throws(StoreError) {
                        let result = try await receiver.fetch(
                            call.mailbox, cursor: call.cursor, limit: call.limit)
                        return (place, .success(result))
                    } catch {
                        return (place, .failure(error.about(call.mailbox)))
                    }
                }
            }
            var outcomes = [FetchOutcome?](repeating: nil, count: frame.fetches.count)
            for await (place, outcome) in group { outcomes[place] = outcome }
            return outcomes.compactMap(\.self)
        }
        var messages = 0
        for outcome in outcomes {
            switch outcome {
            case .success(let result): messages += result.messages.count
            case .failure(let error): core.activity.refused(error.code)
            }
        }
        core.activity.answered(messages, took: .now - started)
        return outcomes
    }
}
