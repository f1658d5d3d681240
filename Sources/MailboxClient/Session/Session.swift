/// The life of a client's connections: a state machine without I/O.
///
/// It is told what happens and when, and answers what to do. Connections are numbered: what an old
/// one still says is ignored by its number.
struct Session {
    /// What the owner does.
    enum Action: Hashable {
        /// Ask the app for a token; `isRenewal` when the last one was refused or expires.
        case requestToken(isRenewal: Bool)
        /// Open a connection; say who is there with the token when it is open.
        case open(connection: UInt64)
        case hello(connection: UInt64, token: String)
        case refreshToken(connection: UInt64, token: String)
        case ping(connection: UInt64)
        /// Close a connection, with a goodbye first when there is a chance that it is heard.
        case close(connection: UInt64, withGoodbye: Bool)
        /// The connection is no more: what was known of it is void.
        case lost(connection: UInt64)
    }

    private enum Phase: Hashable {
        case stopped
        case waiting(until: Int64)
        case token(deadline: Int64)
        case opening(deadline: Int64)
        case greeting(deadline: Int64)
        case open
        case replaced
    }

    private let timing: SessionTiming
    private var random: ClientRandom
    private var phase = Phase.stopped
    private(set) var connection: UInt64 = 0
    private var token = ""
    private var needsRenewal = false
    private var failures = 0
    private var lastHeard: Int64 = 0
    private var heartbeat: Int64 = 0
    private var pingedAt: Int64?
    private var renewAt: Int64?
    private var isRenewing = false

    init(timing: SessionTiming, random: ClientRandom) {
        self.timing = timing
        self.random = random
    }

    /// What an app is told.
    var state: ConnectionState {
        switch phase {
        case .stopped: .stopped
        case .waiting: .waiting
        case .token, .opening, .greeting: .connecting
        case .open: .connected
        case .replaced: .replaced
        }
    }

    /// When `tick` is due; nil when nothing is waited for.
    var deadline: Int64? {
        switch phase {
        case .stopped, .replaced: return nil
        case .waiting(let time), .token(let time), .opening(let time), .greeting(let time):
            return time
        case .open:
            let quiet = (pingedAt ?? lastHeard) + heartbeat
            return min(quiet, isRenewing ? quiet : renewAt ?? quiet)
        }
    }

    // MARK: The owner's wishes

    mutating func start(_ now: Int64) -> [Action] {
        switch phase {
        case .stopped, .replaced:
            failures = 0
            return begin(now)
        default: return []
        }
    }

    mutating func stop() -> [Action] {
        defer { phase = .stopped }
        return end(withGoodbye: true)
    }

    /// The network changed: a wait is over, and a connection is asked whether it still lives.
    mutating func networkChanged(_ now: Int64) -> [Action] {
        switch phase {
        case .waiting:
            failures = 0
            return begin(now)
        case .open where pingedAt == nil:
            pingedAt = now
            return [.ping(connection: connection)]
        default: return []
        }
    }

    /// Connects anew at once: as another device.
    mutating func reconnect(_ now: Int64) -> [Action] {
        guard phase == .open else { return [] }
        return end(withGoodbye: true) + begin(now)
    }

    /// The connection makes no sense any more (a request without an answer, a server that does not
    /// keep the protocol, a database that failed): it is given up, and another one tried.
    mutating func giveUp(_ now: Int64, notBefore: Int64 = 0) -> [Action] {
        switch phase {
        case .stopped, .replaced, .waiting: return []
        default: return fail(now, notBefore: notBefore)
        }
    }

    /// No connection makes sense any more, until the app starts anew.
    mutating func stay() -> [Action] {
        defer { phase = .replaced }
        return end(withGoodbye: true)
    }

    // MARK: What happened

    mutating func tokenCame(_ token: String?, _ now: Int64) -> [Action] {
        switch phase {
        case .token:
            guard let token else { return fail(now) }
            self.token = token
            needsRenewal = false
            connection += 1
            phase = .opening(deadline: now + timing.connectMilliseconds)
            return [.open(connection: connection)]
        case .open where isRenewing:
            // Without a new one the connection goes on, until the server ends it.
            renewAt = nil
            isRenewing = false
            guard let token else { return [] }
            self.token = token
            return [.refreshToken(connection: connection, token: token)]
        default: return []
        }
    }

    mutating func opened(_ connection: UInt64, _ now: Int64) -> [Action] {
        guard connection == self.connection, case .opening = phase else { return [] }
        phase = .greeting(deadline: now + timing.connectMilliseconds)
        return [.hello(connection: connection, token: token)]
    }

    /// - Parameters:
    ///   - heartbeat: what the server wants, in milliseconds; 0 when it says none.
    ///   - tokenLife: for how long the token is good, in milliseconds; nil for ever.
    mutating func welcomed(heartbeat: Int64, tokenLife: Int64?, _ now: Int64) {
        if case .greeting = phase { phase = .open }
        guard phase == .open else { return }
        failures = 0
        pingedAt = nil
        lastHeard = now
        self.heartbeat =
            heartbeat > 0
            ? min(heartbeat, timing.heartbeatMilliseconds) : timing.heartbeatMilliseconds
        // A clock that is wrong must not ask all the time: at least a second goes by.
        renewAt = tokenLife.map { now + max($0 - timing.tokenMarginMilliseconds, 1_000) }
        isRenewing = false
    }

    /// Anything came.
    mutating func heard(_ connection: UInt64, _ now: Int64) {
        guard connection == self.connection else { return }
        lastHeard = now
        pingedAt = nil
    }

    mutating func closed(_ connection: UInt64, _ now: Int64) -> [Action] {
        guard connection == self.connection else { return [] }
        switch phase {
        case .opening, .greeting, .open: return fail(now, isClosed: true)
        default: return []
        }
    }

    /// The server ends the connection.
    ///
    /// - Parameters:
    ///   - isReplaced: another connection of this device is there.
    ///   - needsToken: the token is not good any more.
    ///   - notBefore: how long to stay away, in milliseconds.
    ///   - isFailure: whether the wait grows.
    mutating func goodbye(
        isReplaced: Bool, needsToken: Bool, notBefore: Int64, isFailure: Bool, _ now: Int64
    ) -> [Action] {
        if isReplaced { return stay() }
        if needsToken { needsRenewal = true }
        let wasOpen = phase == .open
        switch phase {
        case .greeting, .open:
            guard wasOpen, !isFailure || needsToken else { return fail(now, notBefore: notBefore) }
            guard notBefore > 0 else { return end(withGoodbye: false) + begin(now) }
            let actions = end(withGoodbye: false)
            phase = .waiting(until: now + notBefore)
            return actions
        default: return []
        }
    }

    mutating func tick(_ now: Int64) -> [Action] {
        switch phase {
        case .stopped, .replaced: return []
        case .waiting(let until): return now >= until ? begin(now) : []
        case .token(let deadline), .opening(let deadline), .greeting(let deadline):
            return now >= deadline ? fail(now) : []
        case .open:
            if let pingedAt, now >= pingedAt + heartbeat { return fail(now) }
            var actions: [Action] = []
            if pingedAt == nil, now >= lastHeard + heartbeat {
                pingedAt = now
                actions.append(.ping(connection: connection))
            }
            if let renewAt, !isRenewing, now >= renewAt {
                isRenewing = true
                actions.append(.requestToken(isRenewal: true))
            }
            return actions
        }
    }

    // MARK: Inside

    private mutating func begin(_ now: Int64) -> [Action] {
        phase = .token(deadline: now + timing.connectMilliseconds)
        return [.requestToken(isRenewal: needsRenewal)]
    }

    private mutating func fail(
        _ now: Int64, notBefore: Int64 = 0, isClosed: Bool = false
    ) -> [Action] {
        let actions = end(withGoodbye: false, isClosed: isClosed)
        let doublings = min(failures, 20)
        let bound = min(
            timing.backoffMaximumMilliseconds, timing.backoffInitialMilliseconds << doublings)
        failures += 1
        let wait = Int64.random(in: 0...max(1, bound), using: &random)
        phase = .waiting(until: now + max(notBefore, wait))
        return actions
    }

    /// The current connection's end, whatever comes after.
    private mutating func end(withGoodbye: Bool, isClosed: Bool = false) -> [Action] {
        pingedAt = nil
        renewAt = nil
        isRenewing = false
        switch phase {
        case .opening, .greeting, .open:
            let close = Action.close(
                connection: connection, withGoodbye: withGoodbye && phase == .open)
            return (isClosed ? [] : [close]) + [.lost(connection: connection)]
        default: return []
        }
    }
}
