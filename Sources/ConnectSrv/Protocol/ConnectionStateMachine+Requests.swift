internal import ClientWire

extension ConnectionStateMachine {
    /// A request in its turn, within its rate.
    mutating func take(_ request: UInt32, _ content: ClientRequest, _ now: Int64) -> [Action] {
        if case .draining = state {
            return refuse(
                request,
                Refused(
                    .unavailable, "the server is about to end; connect again",
                    retryAfterMilliseconds: 1_000))
        }
        guard inFlight.count < limits.requestsInFlightMaximum else {
            return refuse(
                request,
                Refused(
                    .overloaded,
                    "\(inFlight.count) requests wait for their answers; wait for some",
                    retryAfterMilliseconds: 100))
        }
        switch content {
        case .ping, .hello, .goodbye:
            guard case .ping(let ping) = content else { return [] }
            var pong = Pong()
            pong.nonce = ping.nonce
            return [.write(ServerFrame(request, .pong(pong)))]
        case .refreshToken(let refresh):
            inFlight[request] = false
            return [.verify(request: request, token: refresh.token)]
        case .fetch, .sync:
            inFlight[request] = true
            waitingReads.append((request, content))
            return startReads()
        case .send, .getSendStates, .acknowledge, .registerPush, .unregisterPush:
            inFlight[request] = false
            return [.perform(request: request, content)]
        }
    }

    /// The services behind answered.
    mutating func complete(
        _ request: UInt32, _ answer: ServerAnswer, now: Int64
    ) -> [Action] {
        guard let isRead = inFlight.removeValue(forKey: request) else { return [] }
        if isRead { readsInFlight -= 1 }
        switch state {
        case .open, .draining: break
        case .awaitingHello, .authenticating, .closing, .closed: return []
        }
        return [.write(ServerFrame(request, answer))] + startReads() + finishDrain(now: now)
    }

    /// When the last answer of a drain is written, the connection closes.
    mutating func finishDrain(now: Int64) -> [Action] {
        guard case .draining = state, inFlight.isEmpty else { return [] }
        return leave() + [.close(1001)] + closing(now)
    }

    func refuse(_ request: UInt32, _ refused: Refused) -> [Action] {
        [.write(ServerFrame(request, .refused(refused)))]
    }

    /// Starts waiting reads while the device takes what it gets, and not too many are under way:
    /// answers of reads are large, and each may come at once.
    mutating func startReads() -> [Action] {
        var actions: [Action] = []
        while isWritable, readsInFlight < limits.readsInFlightMaximum, !waitingReads.isEmpty {
            let (request, content) = waitingReads.removeFirst()
            readsInFlight += 1
            actions.append(.perform(request: request, content))
        }
        return actions
    }
}
