internal import ClientWire
internal import Mailbox

/// One connection's protocol: frames, answers and time go in, actions come out. No I/O.
///
/// Times are milliseconds of a clock that only goes forward. Invariants:
/// - Nothing but `hello` is taken before `welcome`, and `hello` never again.
/// - Each request is answered at most once; exactly once when the connection lasts, or drains.
/// - At most `requestsInFlightMaximum` requests wait, and `readsInFlightMaximum` reads are under
///   way.
/// - After a goodbye no request is performed, and no push is written.
/// - `close` comes once, behind everything that is written.
struct ConnectionStateMachine {
    /// What the connection's owner is to do, in order.
    enum Action: Equatable, Sendable {
        /// Check the token, and answer with `open` or `end`.
        case authenticate(Hello)
        /// Check the token, and answer with `refresh`.
        case verify(request: UInt32, token: String)
        /// Ask the services behind, and answer with `complete`.
        case perform(request: UInt32, ClientRequest)
        /// Write a frame.
        case write(ServerFrame)
        /// Write a WebSocket ping.
        case ping
        /// Nothing more is pushed to this session: it is over.
        case leave
        /// Write a WebSocket close behind what is written; expect the other side's.
        case close(UInt16)
        /// Close the transport at once.
        case cut
    }

    /// What a valid hello leads to.
    struct Session: Hashable, Sendable {
        var account: Address
        var device: DeviceID
        /// Never 0.
        var number: UInt64
        var epoch: UInt64
        var bodyBytesMaximum: UInt32
        /// In milliseconds since 1970.
        var tokenExpiresMilliseconds: Int64
        /// The same, on the machine's own clock.
        var tokenExpiresAt: Int64
    }

    enum State: Equatable {
        case awaitingHello
        case authenticating(request: UInt32, device: String)
        case open
        /// Said goodbye; answers in flight go on until then.
        case draining(until: Int64)
        /// A close was sent; the other side's is waited for until then.
        case closing(until: Int64)
        case closed
    }

    let limits: ConnectLimits
    let acceptedAt: Int64
    var state = State.awaitingHello
    var session: Session?
    /// Requests that wait for their answers; true for those that read.
    var inFlight: [UInt32: Bool] = [:]
    /// Reads that wait for others to end.
    var waitingReads: [(request: UInt32, content: ClientRequest)] = []
    var readsInFlight = 0
    var notices: PendingNotices
    var isWritable = true
    /// When something last came.
    var heardAt: Int64
    /// When a ping was written that nothing came after.
    var pingedAt: Int64?
    /// Since when nothing was taken, while something waits.
    var stalledAt: Int64?
    var flushedBytes = 0
    /// Which sides of the WebSocket are closed: the transport is when both are.
    var isCloseWritten = false
    var isPeerClosed = false
    private var traffic: TrafficBuckets
    private var refusals: TokenBucket

    /// A connection that was accepted at a time.
    init(limits: ConnectLimits, acceptedAt: Int64) {
        self.limits = limits
        self.acceptedAt = acceptedAt
        heardAt = acceptedAt
        notices = PendingNotices(maximum: limits.noticesMaximum)
        traffic = TrafficBuckets(limits.connectionTraffic, nowMilliseconds: acceptedAt)
        refusals = TokenBucket(limits.refusals, nowMilliseconds: acceptedAt)
    }

    /// Whether more is to be read: not while the device does not read itself.
    var wantsInput: Bool {
        switch state {
        case .awaitingHello, .authenticating, .open, .draining: isWritable
        case .closing: true
        case .closed: false
        }
    }

    /// Whether the connection was told to end.
    var isEnding: Bool {
        switch state {
        case .awaitingHello, .authenticating, .open: false
        case .draining, .closing, .closed: true
        }
    }

    // MARK: What comes in

    /// A frame came.
    ///
    /// - Parameters:
    ///   - byteCount: its size, for the rate.
    ///   - sharedWait: the milliseconds that the account or the address must wait; nil when they
    ///     need not.
    mutating func receive(
        _ frame: ClientFrame, byteCount: Int, sharedWait: Int64?, now: Int64
    ) -> [Action] {
        heard(now)
        switch state {
        case .closing, .closed: return []
        case .awaitingHello: return receiveHello(frame, now)
        case .authenticating:
            if case .goodbye = frame.content { return end(Ending(.done, ""), now) }
            return violate(.outOfTurn("wait for the welcome before anything else"), now)
        case .open, .draining: break
        }
        if case .goodbye = frame.content { return end(Ending(.done, ""), now) }
        guard let content = frame.content else {
            // From a device that is newer than this server. With a number it waits for an answer.
            guard frame.request != 0, inFlight[frame.request] == nil else { return [] }
            return refuse(
                frame.request,
                Refused(.invalidArgument, "this server does not know the request"))
        }
        if case .hello = content { return violate(.outOfTurn("hello comes once"), now) }
        guard frame.request != 0 else {
            return violate(.outOfTurn("a request is numbered, from 1"), now)
        }
        guard inFlight[frame.request] == nil else {
            return violate(
                .outOfTurn("request \(frame.request) has no answer yet; take another number"),
                now)
        }
        if let wait = rateWait(byteCount: byteCount, sharedWait: sharedWait, now) {
            return refuseForRate(frame.request, wait, now)
        }
        return take(frame.request, content, now)
    }

    /// A WebSocket ping or pong came.
    ///
    /// - Returns: nothing, or what ends a connection that sends too many.
    mutating func receiveControl(
        byteCount: Int, sharedWait: Int64?, now: Int64
    ) -> [Action] {
        heard(now)
        guard !isEnding,
            let wait = rateWait(byteCount: byteCount, sharedWait: sharedWait, now),
            refusals.take(1, nowMilliseconds: now) != nil
        else { return [] }
        return end(tooMuch(wait), now)
    }

    /// The device broke a rule of the WebSocket or of the protocol.
    mutating func violate(_ violation: ProtocolViolation, _ now: Int64) -> [Action] {
        end(Ending(violation), now)
    }

    /// The device closed its WebSocket.
    mutating func receiveClose(now: Int64) -> [Action] {
        isPeerClosed = true
        switch state {
        case .closed: return []
        case .closing: return cutWhenClosed()
        case .awaitingHello, .authenticating, .open, .draining:
            return leave() + [.close(1000)] + closing(now)
        }
    }

    /// The transport took the WebSocket's close.
    mutating func closeWritten() -> [Action] {
        isCloseWritten = true
        return cutWhenClosed()
    }

    private mutating func cutWhenClosed() -> [Action] {
        guard case .closing = state, isCloseWritten, isPeerClosed else { return [] }
        state = .closed
        return [.cut]
    }

    /// The transport is gone.
    mutating func disconnected() -> [Action] {
        guard state != .closed else { return [] }
        let actions = leave()
        state = .closed
        return actions
    }

    // MARK: Authentication

    /// The hello was in order.
    mutating func open(_ session: Session, now: Int64) -> [Action] {
        guard case .authenticating(let request, _) = state else { return [] }
        self.session = session
        state = .open
        return [.write(ServerFrame(request, .welcome(welcome(session))))]
    }

    /// A newer token was checked: the session with its expiry, or why not.
    mutating func refresh(
        _ request: UInt32, _ result: Result<Session, RefusedToken>, now: Int64
    ) -> [Action] {
        switch result {
        case .success(let renewed):
            guard state == .open, inFlight[request] != nil else { return [] }
            session = renewed
            return complete(request, .welcome(welcome(renewed)), now: now)
        case .failure(let refusal):
            return complete(request, .refused(Refused(refusal.code, refusal.message)), now: now)
        }
    }

    /// Why a newer token was not taken.
    struct RefusedToken: Error, Hashable, Sendable {
        let code: RefusalCode
        let message: String
    }

    private mutating func receiveHello(_ frame: ClientFrame, _ now: Int64) -> [Action] {
        switch frame.content {
        case .hello(let hello):
            guard frame.request != 0 else {
                return violate(.outOfTurn("a request is numbered, from 1"), now)
            }
            guard (try? DeviceID(hello.device)) != nil else {
                return violate(
                    .outOfTurn(
                        "a device is 1 to 64 bytes of UTF-8 without control characters"), now)
            }
            guard hello.program.utf8.count <= 128 else {
                return violate(.outOfTurn("a program's name has at most 128 bytes"), now)
            }
            state = .authenticating(request: frame.request, device: hello.device)
            return [.authenticate(hello)]
        case .goodbye: return end(Ending(.done, ""), now)
        default: return violate(.outOfTurn("the first frame is hello"), now)
        }
    }

    private func welcome(_ session: Session) -> Welcome {
        var welcome = Welcome()
        welcome.account = session.account.description
        welcome.session = session.number
        welcome.epoch = session.epoch
        welcome.heartbeatMilliseconds = UInt32(clamping: limits.heartbeat.wholeMilliseconds)
        welcome.frameBytesMaximum = UInt32(clamping: limits.frameBytesMaximum)
        welcome.bodyBytesMaximum = session.bodyBytesMaximum
        welcome.requestsInFlightMaximum = UInt32(clamping: limits.requestsInFlightMaximum)
        welcome.tokenExpiresMilliseconds = session.tokenExpiresMilliseconds
        return welcome
    }

    // MARK: Rates

    private mutating func rateWait(
        byteCount: Int, sharedWait: Int64?, _ now: Int64
    ) -> Int64? {
        if let sharedWait { return sharedWait }
        return traffic.take(byteCount: byteCount, nowMilliseconds: now)
    }

    private mutating func refuseForRate(
        _ request: UInt32, _ wait: Int64, _ now: Int64
    ) -> [Action] {
        guard refusals.take(1, nowMilliseconds: now) == nil else {
            return end(tooMuch(wait), now)
        }
        return refuse(
            request,
            Refused(
                .overloaded, "too many requests, or too many bytes; slow down",
                retryAfterMilliseconds: wait))
    }

    private func tooMuch(_ wait: Int64) -> Ending {
        Ending(
            .overloaded, "requests went on after many refusals for their rate",
            reconnectAfterMilliseconds: UInt32(clamping: max(wait, 1_000)))
    }

    private mutating func heard(_ now: Int64) {
        heardAt = now
        pingedAt = nil
    }
}
