internal import ClientWire
internal import Logging
internal import Mailbox
internal import NIOCore
internal import NIOWebSocket

/// One device's connection, after the WebSocket's handshake: gives frames and time to the state
/// machine, and does what it says. On its channel's event loop, all of it.
final class ConnectionHandler: ChannelDuplexHandler {
    typealias InboundIn = WebSocketFrame
    typealias OutboundIn = WebSocketFrame
    typealias OutboundOut = WebSocketFrame

    private let core: ConnectCore
    private let format: WireFormat
    private let addressTraffic: SharedTraffic
    private var accountTraffic: SharedTraffic?
    private var accountKey: String?
    private var machine: ConnectionStateMachine
    private var assembler: MessageAssembler
    private var context: ChannelHandlerContext?
    private var port: ConnectionPort?
    private var timer: (at: Int64, task: Scheduled<Void>)?
    private var isReadHeldBack = false
    private var writtenBytes = 0
    /// What is needed to open the session when the services behind have answered.
    private var candidate: (identity: TokenVerifier.Identity, hello: Hello)?
    /// The session as it is registered.
    private var registered: ConnectionStateMachine.Session?
    private var isRegistered = false

    init(
        core: ConnectCore, format: WireFormat, addressTraffic: SharedTraffic, acceptedAt: Int64
    ) {
        self.core = core
        self.format = format
        self.addressTraffic = addressTraffic
        machine = ConnectionStateMachine(limits: core.limits, acceptedAt: acceptedAt)
        assembler = MessageAssembler(
            format: format, bytesMaximum: core.limits.frameBytesMaximum,
            fragmentsMaximum: core.limits.fragmentsMaximum)
    }

    // MARK: The channel

    func handlerAdded(context: ChannelHandlerContext) {
        self.context = context
        port = ConnectionPort(
            eventLoop: context.eventLoop,
            pushBytesMaximum: core.limits.outgoingPushBytesMaximum
        ) { [weak self] in self?.takeEvents() }
        scheduleTimer()
    }

    func handlerRemoved(context: ChannelHandlerContext) {
        finish()
        self.context = nil
    }

    func channelInactive(context: ChannelHandlerContext) {
        finish()
        context.fireChannelInactive()
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let frame = unwrapInboundIn(data)
        guard !isDeaf else { return }
        let byteCount = frame.length
        do throws(ProtocolViolation) {
            switch try assembler.receive(frame) {
            case .message(let bytes): try receive(bytes)
            case .ping(let payload):
                receiveControl(byteCount)
                if !isDeaf { write(.pong, payload) }
            case .pong: receiveControl(byteCount)
            case .close: perform(machine.receiveClose(now: now))
            case nil: break
            }
        } catch {
            perform(machine.violate(error, now))
        }
    }

    func channelReadComplete(context: ChannelHandlerContext) {
        context.flush()
        scheduleTimer()
        context.fireChannelReadComplete()
    }

    func read(context: ChannelHandlerContext) {
        if machine.wantsInput {
            context.read()
        } else {
            isReadHeldBack = true
        }
    }

    func channelWritabilityChanged(context: ChannelHandlerContext) {
        perform(machine.writabilityChanged(context.channel.isWritable, now: now))
        releaseRead()
        scheduleTimer()
        context.fireChannelWritabilityChanged()
    }

    func userInboundEventTriggered(context: ChannelHandlerContext, event: Any) {
        guard event is DrainEvent else {
            return context.fireUserInboundEventTriggered(event)
        }
        let spread = core.limits.reconnectSpread.wholeMilliseconds
        perform(
            machine.drain(
                reconnectAfterMilliseconds: UInt32(clamping: Int64.random(in: 0...spread)),
                now: now))
        settle()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        switch error {
        case NIOWebSocketError.invalidFrameLength:
            perform(
                machine.violate(.tooLarge(maximum: core.limits.frameBytesMaximum), now))
        case is NIOWebSocketError:
            perform(machine.violate(.malformedControl, now))
        default:
            // The transport is broken: a reset connection, TLS that fails.
            context.close(promise: nil)
        }
        settle()
    }

    // MARK: What comes in

    /// What comes after a close is not looked at, but for the other side's close.
    private var isDeaf: Bool {
        if case .closed = machine.state { return true }
        return false
    }

    private var now: Int64 { ConnectCore.now() }

    private func receive(_ bytes: ByteBuffer) throws(ProtocolViolation) {
        if case .closing = machine.state { return }
        core.metrics.frameReceived()
        let frame = try format.decode(bytes)
        let byteCount = bytes.readableBytes
        perform(
            machine.receive(
                frame, byteCount: byteCount, sharedWait: sharedWait(byteCount), now: now))
    }

    private func receiveControl(_ byteCount: Int) {
        perform(
            machine.receiveControl(
                byteCount: byteCount, sharedWait: sharedWait(byteCount), now: now))
    }

    private func sharedWait(_ byteCount: Int) -> Int64? {
        let now = now
        if let wait = addressTraffic.take(byteCount: byteCount, nowMilliseconds: now) {
            return wait
        }
        return accountTraffic?.take(byteCount: byteCount, nowMilliseconds: now)
    }

    private func takeEvents() {
        guard let port else { return }
        for event in port.take() {
            switch event {
            case .greeted(let greeting): greeted(greeting)
            case .completed(let request, let answer):
                perform(machine.complete(request, answer, now: now))
            case .pushed(let pushed): perform(machine.push(pushed))
            case .notice(let sender, let epoch, let maxSequence):
                perform(machine.notice(sender: sender, epoch: epoch, maxSequence: maxSequence))
            case .replaced(let whenDeaf):
                perform(
                    machine.end(
                        Ending(.replaced, "a newer connection of this device took over"), now))
                whenDeaf()
            case .alone: openSession()
            }
        }
        settle()
    }

    /// After anything that came from elsewhere than the channel's reads.
    private func settle() {
        context?.flush()
        releaseRead()
        scheduleTimer()
    }

    private func releaseRead() {
        guard isReadHeldBack, machine.wantsInput else { return }
        isReadHeldBack = false
        context?.read()
    }
}

// MARK: - What the machine says

extension ConnectionHandler {
    private func perform(_ actions: [ConnectionStateMachine.Action]) {
        for action in actions {
            switch action {
            case .authenticate(let hello): authenticate(hello)
            case .verify(let request, let token): refresh(request, token)
            case .perform(let request, let content): route(request, content)
            case .write(let frame): write(frame)
            case .ping: write(.ping, ByteBuffer())
            case .leave: leave()
            case .close(let code): writeClose(code)
            case .cut: context?.close(promise: nil)
            }
        }
    }

    private func route(_ request: UInt32, _ content: ClientRequest) {
        guard let registered, let port else { return }
        core.router.perform(
            content, account: registered.account, device: registered.device
        ) { answer in
            port.post(.completed(request, answer))
        }
    }

    private func write(_ frame: ServerFrame) {
        guard let context else { return }
        var frame = frame
        switch frame.content {
        case .refused(let refused): core.metrics.refused(refused.code)
        case .goodbye(let goodbye): ended(goodbye)
        case .pong: frame.pong.serverMilliseconds = TokenVerifier.systemMilliseconds()
        default: break
        }
        guard let bytes = format.encode(frame, context.channel.allocator) else {
            return perform(
                machine.end(Ending(.internal, "an answer could not be written"), now))
        }
        write(format.opcode, bytes)
    }

    private func write(_ opcode: WebSocketOpcode, _ bytes: ByteBuffer) {
        guard let context else { return }
        writtenBytes += bytes.readableBytes
        context.write(
            wrapOutboundOut(WebSocketFrame(fin: true, opcode: opcode, data: bytes)),
            promise: nil)
        if !context.channel.isWritable, waitingBytes > core.limits.outgoingBytesMaximum {
            perform(machine.overflowed(now: now))
        }
    }

    private func writeClose(_ code: UInt16) {
        guard let context else { return }
        var payload = context.channel.allocator.buffer(capacity: 2)
        payload.writeInteger(code)
        let written = context.eventLoop.makePromise(of: Void.self)
        written.futureResult.assumeIsolated().whenComplete { [weak self] _ in
            guard let self else { return }
            self.perform(self.machine.closeWritten())
        }
        context.writeAndFlush(
            wrapOutboundOut(
                WebSocketFrame(fin: true, opcode: .connectionClose, data: payload)),
            promise: written)
    }

    /// What the transport has not taken yet.
    private var waitingBytes: Int {
        guard let options = context?.channel.syncOptions else { return 0 }
        return (try? options.getOption(.bufferedWritableBytes)) ?? 0
    }

    private func ended(_ goodbye: Goodbye) {
        core.metrics.ended(goodbye.reason)
        core.logger.debug(
            "a connection ends",
            metadata: [
                "session": "\(registered?.number ?? 0)",
                "reason": "\(goodbye.reason.shortName)", "message": "\(goodbye.message)",
            ])
    }

    private func scheduleTimer() {
        guard let context, let deadline = machine.nextDeadline else {
            timer?.task.cancel()
            timer = nil
            return
        }
        // A timer that is too early finds nothing to do, and is set anew: cheaper than to move it
        // with every frame.
        if let timer, timer.at <= deadline { return }
        timer?.task.cancel()
        let delay = TimeAmount.milliseconds(max(1, deadline - now))
        let task = context.eventLoop.assumeIsolated().scheduleTask(in: delay) { [weak self] in
            guard let self else { return }
            self.timer = nil
            self.perform(
                self.machine.timer(
                    now: self.now, flushedBytes: self.writtenBytes - self.waitingBytes))
            self.settle()
        }
        timer = (deadline, task)
    }
}

// MARK: - Sessions

extension ConnectionHandler {
    private func authenticate(_ hello: Hello) {
        guard let port else { return }
        do throws(TokenVerifier.Refusal) {
            candidate = (try core.tokens.verify(hello.token), hello)
        } catch {
            return perform(machine.end(Ending(.unauthenticated, error.description), now))
        }
        let router = core.router
        Task {
            do throws(StoreError) {
                port.post(.greeted(.success(try await router.greeting())))
            } catch {
                port.post(.greeted(.failure(error)))
            }
        }
    }

    private func greeted(_ greeting: Result<Greeting, StoreError>) {
        guard case .authenticating = machine.state, let candidate, let port else { return }
        self.candidate = nil
        let spread = max(1, core.limits.reconnectSpread.wholeMilliseconds)
        let later = UInt32(clamping: Int64.random(in: spread / 2...spread))
        guard case .success(let greeting) = greeting else {
            return perform(
                machine.end(
                    Ending(
                        .internal, "a service behind this one does not answer",
                        reconnectAfterMilliseconds: later), now))
        }
        let account = candidate.identity.account.description
        guard let device = try? DeviceID(candidate.hello.device),
            let traffic = core.accounts.join(account, nowMilliseconds: now)
        else {
            return perform(
                machine.end(
                    Ending(
                        .overloaded, "this account has too many connections",
                        reconnectAfterMilliseconds: later), now))
        }
        accountTraffic = traffic
        accountKey = account
        let session = ConnectionStateMachine.Session(
            account: candidate.identity.account, device: device,
            number: UInt64.random(in: 1...UInt64.max), epoch: greeting.epoch,
            bodyBytesMaximum: UInt32(clamping: greeting.bodyBytesMaximum),
            tokenExpiresMilliseconds: candidate.identity.expiresMilliseconds,
            tokenExpiresAt: expiry(candidate.identity))
        registered = session
        isRegistered = true
        core.metrics.sessionBegan()
        core.registry.join(session, resuming: candidate.hello.resumeSession, port: port)
    }

    /// The device's older connections take nothing more: it is welcome.
    private func openSession() {
        guard let registered, case .authenticating = machine.state else { return }
        core.logger.debug(
            "a device is here",
            metadata: ["session": "\(registered.number)", "format": "\(format.rawValue)"])
        perform(machine.open(registered, now: now))
    }

    private func refresh(_ request: UInt32, _ token: String) {
        guard var renewed = machine.session else { return }
        let result: Result<ConnectionStateMachine.Session, ConnectionStateMachine.RefusedToken>
        do throws(TokenVerifier.Refusal) {
            let identity = try core.tokens.verify(token)
            if identity.account == renewed.account {
                renewed.tokenExpiresMilliseconds = identity.expiresMilliseconds
                renewed.tokenExpiresAt = expiry(identity)
                result = .success(renewed)
            } else {
                result = .failure(
                    .init(code: .forbidden, message: "the token is another account's"))
            }
        } catch {
            result = .failure(.init(code: .unauthenticated, message: error.description))
        }
        perform(machine.refresh(request, result, now: now))
        scheduleTimer()
    }

    /// When a token ends, on the clock that only goes forward.
    private func expiry(_ identity: TokenVerifier.Identity) -> Int64 {
        now + max(0, identity.expiresMilliseconds - TokenVerifier.systemMilliseconds())
    }

    private func leave() {
        guard let registered, isRegistered else { return }
        isRegistered = false
        core.registry.leave(registered.account, registered.device, number: registered.number)
        core.metrics.sessionEnded()
    }

    /// The transport is gone.
    private func finish() {
        perform(machine.disconnected())
        // One that ended before its welcome has no session to leave.
        leave()
        timer?.task.cancel()
        timer = nil
        port?.close()
        if let accountKey { core.accounts.leave(accountKey) }
        accountKey = nil
    }
}
