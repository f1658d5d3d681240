internal import GRPCCore
internal import GRPCNIOTransportHTTP2
internal import Logging
internal import Mailbox
internal import Synchronization

extension StoreClient {
    func keepAppendStream() async {
        await keepStream(appends) { info, limits in
            try await self.grpc.bidirectionalStreaming(
                request: StreamingClientRequest { writer in
                    try await self.write(self.appends, limits, info, to: writer) {
                        OutgoingAppendFrame(number: $0.number, stretches: $0.stretches)
                    }
                },
                descriptor: HotMethods.appendStream, serializer: AppendFrameSerializer(),
                deserializer: AppendFrameAnswerDeserializer(), options: self.streamOptions
            ) { response in
                for try await answer in response.messages {
                    let goesOn = try self.appends.answered(
                        frame: answer.frame, outcomes: answer.outcomes)
                    if !goesOn { return }
                }
            }
        }
    }

    func keepFetchStream() async {
        await keepStream(fetches) { info, limits in
            try await self.grpc.bidirectionalStreaming(
                request: StreamingClientRequest { writer in
                    try await self.write(self.fetches, limits, info, to: writer) {
                        OutgoingFetchFrame(number: $0.number, stretches: $0.stretches)
                    }
                },
                descriptor: HotMethods.fetchStream, serializer: FetchFrameSerializer(),
                deserializer: FetchFrameAnswerDeserializer(), options: self.streamOptions
            ) { response in
                for try await answer in response.messages {
                    let goesOn = try self.fetches.answered(
                        frame: answer.frame, outcomes: answer.outcomes,
                        continues: answer.continues)
                    if !goesOn { return }
                }
            }
        }
    }

    private var streamOptions: CallOptions {
        var options = CallOptions.defaults
        options.waitForReady = true
        options.maxResponseMessageBytes = configuration.answerBytesMaximum
        return options
    }

    /// Opens a stream whenever something needs it, until the line is closed and empty.
    private func keepStream<Item: FrameItem>(
        _ line: FrameLine<Item>,
        _ stream: @escaping @Sendable (StoreInfo, FramePipeline<Item>.Limits) async throws -> Void
    ) async {
        var backoff = Backoff(configuration)
        while await line.waitForDemand() {
            var cause: StoreError?
            do {
                try await untilEnd(of: line) {
                    let info = try await self.storeInfo()
                    try await stream(info, self.limits(info))
                }
            } catch {
                cause = Self.storeError(error)
            }
            if line.connectionLost(cause) { backoff.reset() }
            if Task.isCancelled || line.isOver { return }
            configuration.logger.info(
                "The connection is lost; connecting again.",
                metadata: [
                    "target": "\(configuration.target)",
                    "cause": "\(cause?.description ?? "the server ended the stream")",
                ])
            try? await Task.sleep(for: backoff.next())
        }
    }

    /// Runs an attempt, and cuts it off when nothing is left to be done.
    private func untilEnd<Item: FrameItem>(
        of line: FrameLine<Item>, _ attempt: @escaping @Sendable () async throws -> Void
    ) async throws {
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await attempt() }
            group.addTask { await line.waitForEnd() }
            defer { group.cancelAll() }
            try await group.next()
        }
    }

    /// Writes frames for as long as the stream is open.
    private func write<Item: FrameItem, Outgoing: Sendable>(
        _ line: FrameLine<Item>, _ limits: FramePipeline<Item>.Limits, _ info: StoreInfo,
        to writer: RPCWriter<Outgoing>, _ outgoing: (FramePipeline<Item>.Frame) -> Outgoing
    ) async throws {
        lifecycle.withLock { lifecycle in
            lifecycle.info = info
            lifecycle.openStreams += 1
        }
        defer { lifecycle.withLock { $0.openStreams -= 1 } }
        line.connected(limits)
        while let frame = await line.nextFrame() { try await writer.write(outgoing(frame)) }
    }

    /// What a frame may hold: what the server takes, and what this client was told.
    private func limits<Item>(_ info: StoreInfo) -> FramePipeline<Item>.Limits {
        // Room for the frame's own number.
        let requestBytes = max(1, info.requestBytesMaximum - 32)
        return FramePipeline.Limits(
            itemsPerFrame: min(configuration.frameItemsMaximum, info.batchMessagesMaximum),
            bytesPerFrame: min(configuration.frameBytesMaximum, requestBytes),
            itemBytesMaximum: requestBytes, framesInFlight: configuration.framesInFlight)
    }
}
