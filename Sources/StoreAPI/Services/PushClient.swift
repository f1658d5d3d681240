internal import GRPCCore
internal import GRPCNIOTransportHTTP2
internal import Logging
public import Mailbox
internal import SwiftProtobuf
internal import Synchronization

/// All PushSrv there are, behind a network. What SendSrv hands over goes to whichever takes it
/// first; an instance of ConnectSrv attaches to every one; a registration is kept by every one.
///
/// Connections are made in the background, again and again, with waits that grow and are drawn at
/// random.
public final class PushClient: PushAttaching, PushNotifying, Sendable {
    typealias Transport = HTTP2ClientTransport.Posix
    typealias Service = Wire.PushService.Client<Transport>

    /// One PushSrv.
    struct Peer: Sendable {
        let number: Int
        let configuration: StoreClientConfiguration
        let grpc: GRPCClient<Transport>
        var service: Service { Service(wrapping: grpc) }
    }

    private struct State {
        var attachments: [ObjectIdentifier: RemoteAttachment] = [:]
        var hasRun = false
        var isClosed = false
        var closing: CheckedContinuation<Void, Never>?
    }

    let peers: [Peer]
    let queue: NotifyQueue
    private let closingMaximum: Duration
    private let (additions, added) = AsyncStream.makeStream(of: RemoteAttachment.self)
    private let state = Mutex(State())

    /// A client that connects when `run` is called.
    ///
    /// - Parameters:
    ///   - configurations: one for each PushSrv, at least one.
    ///   - pushesWaitingMaximum: pushes that wait for a PushSrv to take them; of what comes above
    ///     it, or above `waitingBytesMaximum` of the first configuration, a notice is left.
    ///   - closingMaximum: how long the end waits for a PushSrv to take what waits.
    /// - Throws: `invalidArgument` when a target or TLS files are none.
    public init(
        _ configurations: [StoreClientConfiguration], pushesWaitingMaximum: Int = 65_536,
        closingMaximum: Duration = .seconds(1)
    ) throws(StoreError) {
        guard let first = configurations.first else {
            throw .invalidArgument("a client of PushSrv needs at least one address")
        }
        queue = NotifyQueue(
            countMaximum: pushesWaitingMaximum, bytesMaximum: first.waitingBytesMaximum)
        var peers: [Peer] = []
        for (number, configuration) in configurations.enumerated() {
            do {
                let transport = try StoreClient.transport(configuration)
                peers.append(
                    Peer(
                        number: number, configuration: configuration,
                        grpc: GRPCClient(transport: transport)))
            } catch {
                throw StoreError(
                    code: .invalidArgument,
                    message: "no connection to \(configuration.target) can be made", cause: error)
            }
        }
        self.peers = peers
        self.closingMaximum = closingMaximum
    }

    /// Pushes that found no room because too much waited.
    public var droppedCount: UInt64 { queue.droppedCount }

    /// Keeps the connections until `close` is called, or the task is cancelled; once.
    public func run() async throws {
        let isFirst = state.withLock { state in
            defer { state.hasRun = true }
            return !state.hasRun
        }
        guard isFirst else {
            throw StoreError(code: .invalidArgument, message: "a client runs once")
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            for peer in peers {
                group.addTask {
                    do {
                        try await peer.grpc.runConnections()
                    } catch let error as RuntimeError where error.code == .clientIsStopped {
                        // Closed before it came to connecting.
                    }
                }
            }
            await keepStreams()
            try await group.waitForAll()
        }
    }

    /// Keeps the streams until `close` is called and what waited is handed over, or the time for
    /// that is up.
    private func keepStreams() async {
        await withTaskGroup(of: Bool.self) { streams in
            streams.addTask {
                await withDiscardingTaskGroup { notifying in
                    for peer in self.peers {
                        notifying.addTask { await self.keepNotifying(peer) }
                    }
                }
                return true
            }
            streams.addTask {
                await withDiscardingTaskGroup { attached in
                    for await attachment in self.additions {
                        for peer in self.peers {
                            attached.addTask { await self.keepAttached(attachment, peer) }
                        }
                    }
                    attached.cancelAll()
                }
                return false
            }
            streams.addTask {
                await self.waitForClose()
                try? await Task.sleep(for: self.closingMaximum)
                return true
            }
            while let isOver = await streams.next(), !isOver {}
            streams.cancelAll()
            // Before the streams are waited for: a call that was cancelled just before it queued
            // for a connection waits there until there is one, or until this.
            for peer in self.peers { peer.grpc.beginGracefulShutdown() }
        }
    }

    /// Ends everything: attachments end; what waits is handed over if a PushSrv takes it in
    /// time. Harmless when repeated.
    public func close() {
        let closing = state.withLock { state in
            state.isClosed = true
            defer { state.closing = nil }
            return state.closing
        }
        added.finish()
        queue.close()
        closing?.resume()
    }

    private func waitForClose() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = state.withLock { state in
                    if state.isClosed || Task.isCancelled { return true }
                    state.closing = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            close()
        }
    }

    // MARK: PushNotifying

    /// Takes a stored message, and returns at once.
    public func notify(_ push: Push) { queue.add(push) }

    /// Messages may have been stored that nobody pushes: a PushSrv is told to look at the heads.
    /// For a SendSrv that begins: the one before it may have died with something in its hands.
    public func noteLoss() { queue.noteLoss() }

    /// Hands what waits to one PushSrv for as long as there is a client.
    private func keepNotifying(_ peer: Peer) async {
        var backoff = Backoff(peer.configuration)
        let progress = Progress()
        let handedOver = HandedOver()
        while !Task.isCancelled {
            do {
                // Nothing is taken from the queue before there is a connection.
                _ = try await peer.service.notify(options: Self.streamOptions(peer)) { writer in
                    progress.note()
                    while let pushes = await self.queue.next() {
                        let isIncomplete = self.queue.takeLoss()
                        handedOver.note(pushes, isIncomplete: isIncomplete)
                        try await writer.write(
                            .with {
                                $0.pushes = pushes.map { Wire.Push($0) }
                                $0.isIncomplete = isIncomplete
                            })
                    }
                }
            } catch {
                Self.log(peer, "notify", error)
            }
            if queue.isClosed { return }
            // The end of the stream tells nothing of what was on its way.
            let (pushes, isIncomplete) = handedOver.take()
            queue.mark(pushes)
            if isIncomplete { queue.noteLoss() }
            if progress.take() { backoff.reset() }
            try? await Task.sleep(for: backoff.next())
        }
    }

    // MARK: PushAttaching

    /// Attaches an instance to every PushSrv.
    public func attach(
        _ instance: String, deliver: @escaping @Sendable (Push) -> Void
    ) -> any PushAttachment {
        let attachment = RemoteAttachment(
            instance: instance, peers: peers.count, deliver: deliver)
        added.yield(attachment)
        return attachment
    }

    /// Keeps one attachment to one PushSrv, until it is detached.
    private func keepAttached(_ attachment: RemoteAttachment, _ peer: Peer) async {
        var backoff = Backoff(peer.configuration)
        let progress = Progress()
        while !Task.isCancelled, !attachment.isDetached {
            do {
                try await peer.service.attach(options: Self.streamOptions(peer)) { writer in
                    try await attachment.write(peer.number) { try await writer.write($0) }
                } onResponse: { response in
                    for try await answer in response.messages {
                        progress.note()
                        for push in answer.pushes { attachment.deliver(try Push(wire: push)) }
                    }
                }
            } catch {
                Self.log(peer, "attach", error)
            }
            attachment.connectionLost(peer.number)
            if attachment.isDetached { return }
            if progress.take() { backoff.reset() }
            try? await Task.sleep(for: backoff.next())
        }
    }

    /// Keeps a registration at every PushSrv.
    ///
    /// - Throws: as ``PushAttaching`` says; `unavailable` when any could not be reached.
    public func register(_ registration: PushRegistration) async throws(StoreError) {
        try registration.check()
        let request = Wire.RegisterDeviceRequest(registration)
        try await everywhere { peer, options in
            _ = try await peer.service.registerDevice(request, options: options)
        }
    }

    /// Forgets a registration at every PushSrv.
    ///
    /// - Throws: as ``PushAttaching`` says; `unavailable` when any could not be reached.
    public func unregister(_ account: Address, device: DeviceID) async throws(StoreError) {
        try await everywhere { peer, options in
            _ = try await peer.service.unregisterDevice(
                .with {
                    $0.account = account.description
                    $0.device = device.description
                }, options: options)
        }
    }

    private func everywhere(
        _ body: @escaping @Sendable (Peer, CallOptions) async throws -> Void
    ) async throws(StoreError) {
        do {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for peer in peers {
                    var options = CallOptions.defaults
                    options.waitForReady = true
                    options.timeout = peer.configuration.connectTimeout
                    let settled = options
                    group.addTask { try await body(peer, settled) }
                }
                try await group.waitForAll()
            }
        } catch {
            throw StoreClient.storeError(error)
        }
    }

    private static func streamOptions(_ peer: Peer) -> CallOptions {
        var options = CallOptions.defaults
        options.waitForReady = true
        options.maxResponseMessageBytes = peer.configuration.answerBytesMaximum
        return options
    }

    private static func log(_ peer: Peer, _ stream: String, _ error: any Error) {
        guard !Task.isCancelled else { return }
        peer.configuration.logger.info(
            "The connection is lost; connecting again.",
            metadata: [
                "target": "\(peer.configuration.target)", "stream": "\(stream)",
                "cause": "\(StoreClient.storeError(error))",
            ])
    }
}

/// Whether a connection was of use.
private final class Progress: Sendable {
    private let flag = Atomic<Bool>(false)

    func note() { flag.store(true, ordering: .relaxed) }

    /// True when it was since this was asked last.
    func take() -> Bool { flag.exchange(false, ordering: .relaxed) }
}
