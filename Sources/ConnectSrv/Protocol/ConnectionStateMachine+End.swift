internal import ClientWire

extension ConnectionStateMachine {
    /// Ends the connection: says goodbye, and closes.
    mutating func end(_ ending: Ending, _ now: Int64) -> [Action] {
        switch state {
        case .closing, .closed: return []
        case .awaitingHello, .authenticating, .open, .draining: break
        }
        return leave() + [.write(ending.frame), .close(ending.closeCode)] + closing(now)
    }

    /// The server is about to end: no more requests; what is in flight is answered.
    mutating func drain(reconnectAfterMilliseconds: UInt32, now: Int64) -> [Action] {
        let ending = Ending(
            .shutdown, "the server is about to end; connect again",
            reconnectAfterMilliseconds: reconnectAfterMilliseconds)
        switch state {
        case .awaitingHello, .authenticating: return end(ending, now)
        case .open:
            state = .draining(until: now + limits.drainMaximum.wholeMilliseconds)
            return leave() + [.write(ending.frame)] + finishDrain(now: now)
        case .draining, .closing, .closed: return []
        }
    }

    /// The session is over, if there was one.
    mutating func leave() -> [Action] {
        guard session != nil else { return [] }
        session = nil
        return [.leave]
    }

    mutating func closing(_ now: Int64) -> [Action] {
        state = .closing(until: now + limits.closeMaximum.wholeMilliseconds)
        waitingReads = []
        return []
    }

    // MARK: Time

    /// When `timer` has something to do at the earliest; nil when it never has.
    var nextDeadline: Int64? {
        switch state {
        case .closed: return nil
        case .closing(let until): return until
        case .awaitingHello, .authenticating:
            return acceptedAt + limits.handshakeMaximum.wholeMilliseconds
        case .draining(let until): return min(until, stallDeadline ?? until)
        case .open:
            var deadline = pingedAt.map { $0 + heartbeat } ?? heardAt + quietMaximum
            if let stallDeadline { deadline = stallDeadline }
            if let session { deadline = min(deadline, session.tokenExpiresAt) }
            return deadline
        }
    }

    /// Time went by.
    ///
    /// - Parameter flushedBytes: what the transport took since the connection began: it only grows.
    mutating func timer(now: Int64, flushedBytes: Int) -> [Action] {
        switch state {
        case .closed: return []
        case .closing(let until):
            guard now >= until else { return [] }
            state = .closed
            return [.cut]
        case .awaitingHello:
            guard hasHandshakePassed(now) else { return [] }
            return end(Ending(.idle, "no hello came in time"), now)
        case .authenticating:
            guard hasHandshakePassed(now) else { return [] }
            return end(
                Ending(
                    .internal, "the services behind did not answer in time",
                    reconnectAfterMilliseconds: 1_000), now)
        case .draining(let until):
            if now >= until { return leave() + [.close(1001)] + closing(now) }
            return checkStall(now, flushedBytes)
        case .open:
            if let session, now >= session.tokenExpiresAt {
                return end(
                    Ending(.unauthenticated, "the token has expired; connect with another"), now)
            }
            return isWritable ? checkHeartbeat(now) : checkStall(now, flushedBytes)
        }
    }

    private func hasHandshakePassed(_ now: Int64) -> Bool {
        now >= acceptedAt + limits.handshakeMaximum.wholeMilliseconds
    }

    private var stallDeadline: Int64? {
        stalledAt.map { $0 + limits.outgoingStallMaximum.wholeMilliseconds }
    }

    private var heartbeat: Int64 { limits.heartbeat.wholeMilliseconds }

    /// How long it may be quiet before it is pinged: up to a quarter less than a heartbeat, by the
    /// session's number, which is drawn at random. Devices that came together, after a restart,
    /// would be pinged together ever after.
    private var quietMaximum: Int64 {
        guard let session else { return heartbeat }
        return heartbeat - Int64(session.number % UInt64(heartbeat / 4 + 1))
    }

    private mutating func checkHeartbeat(_ now: Int64) -> [Action] {
        if let pingedAt {
            guard now >= pingedAt + heartbeat else { return [] }
            return end(Ending(.idle, "no sign of life came in time"), now)
        }
        guard now >= heardAt + quietMaximum else { return [] }
        pingedAt = now
        return [.ping]
    }

    /// A device that takes something, however slowly, is not stalled.
    private mutating func checkStall(_ now: Int64, _ flushedBytes: Int) -> [Action] {
        guard let stallDeadline, now >= stallDeadline else { return [] }
        guard flushedBytes <= self.flushedBytes else {
            self.flushedBytes = flushedBytes
            stalledAt = now
            return []
        }
        return end(Ending(.slow, "the device does not read; fetch again"), now)
    }
}
