package import Mailbox

extension FramePipeline {
    /// A frame's answer came, or a part of it.
    ///
    /// - Parameter continues: true when the frame's outcomes go on in the next answer.
    /// - Throws: `failed` when it is no answer to the oldest frame in flight; then nothing changed,
    ///   and the connection is of no more use.
    package mutating func answered(
        frame: UInt64, outcomes: [Outcome], continues: Bool = false
    ) throws(StoreError) {
        guard let oldest = inFlight.first, oldest.number == frame else {
            throw Self.confused("the server answered frame \(frame), which is not the oldest")
        }
        let expected = oldest.parts.reduce(0) { $0 + $1.range.count }
        guard continues ? outcomes.count <= expected : outcomes.count == expected else {
            throw Self.confused(
                "the server gave \(outcomes.count) outcomes where \(expected) were missing")
        }
        var rest = outcomes[...]
        var parts = oldest.parts
        while !rest.isEmpty, let part = parts.popFirst() {
            let taken = rest.prefix(part.range.count)
            rest = rest.dropFirst(taken.count)
            note(taken, part)
            if taken.count < part.range.count {
                let left = part.range.dropFirst(taken.count)
                parts = [Part(call: part.call, range: left)] + parts
            }
        }
        if continues {
            inFlight[0].parts = parts
        } else {
            inFlight.removeFirst()
        }
        dropCompleted()
    }

    private static func confused(_ message: String) -> StoreError {
        StoreError(code: .failed, message: message)
    }

    private mutating func note(_ outcomes: ArraySlice<Outcome>, _ part: Part) {
        guard let place = place(of: part.call), !calls[place].isDone else { return }
        for (item, outcome) in zip(part.range, outcomes) {
            guard case .failure(let error) = outcome, Self.isGoingAway(error) else {
                let isAgain = item < calls[place].sentBefore
                settle(place, item, isAgain ? Self.resent(outcome) : outcome)
                continue
            }
            mustReconnect = true
            // What can be repeated stays in flight, and goes back into the line with the rest.
            guard !calls[place].items[item].canBeRepeated else { continue }
            settle(place, item, .failure(Self.lost(error)))
        }
    }

    /// The outcome of an item that was sent before, on a connection that was lost. What a store
    /// refuses without a look at it, it may have taken the first time.
    private static func resent(_ outcome: Outcome) -> Outcome {
        switch outcome {
        case .success(let value): .success(Item.resent(value))
        case .failure(let error)
        where Item.codeWhenLost == .unknown && unexamined.contains(error.code):
            .failure(lost(error))
        case .failure: outcome
        }
    }

    private static var unexamined: Set<StoreError.Code> { [.overloaded, .storageFull, .failed] }

    /// True when the store says that it is shutting down or not there yet: another one will answer.
    static func isGoingAway(_ error: StoreError) -> Bool {
        error.code == .closed || error.code == .locked
    }

    static func lost(_ cause: StoreError?) -> StoreError {
        StoreError(
            code: Item.codeWhenLost,
            message: "the connection was lost before the answer came; "
                + (Item.codeWhenLost == .unknown
                    ? "the message may be stored once, or not at all" : "ask again"),
            cause: cause)
    }

    static func unreached(_ cause: StoreError?) -> StoreError {
        StoreError(
            code: .unavailable,
            message: "the store could not be reached in time; nothing was sent; try again",
            cause: cause)
    }

    /// The connection was lost: what was in flight goes back into the line, or is answered with
    /// `unknown`.
    package mutating func connectionLost(_ cause: StoreError? = nil, now: Moment) {
        if lostSince == nil { lostSince = now }
        limits = nil
        mustReconnect = false
        inFlight = []
        let end = min(unsent + 1, calls.count)
        var earliest = end
        for place in head..<max(head, end) where !calls[place].isDone {
            for item in 0..<calls[place].sent
            where isOpen(place, item) && !calls[place].items[item].canBeRepeated {
                settle(place, item, .failure(Self.lost(cause)))
            }
            guard !calls[place].isDone else { continue }
            calls[place].sent = calls[place].outcomes.count
            calls[place].sentBefore = calls[place].sentEver
            earliest = min(earliest, place)
        }
        unsent = min(unsent, earliest)
        dropCompleted()
    }

    /// Answers the calls whose time is over. Calls of one line have the same time, so the oldest
    /// ends first.
    ///
    /// - Parameter connectTimeout: how long a call waits for a connection, when it was not sent.
    package mutating func expire(
        now: Moment, connectTimeout: Duration, cause: StoreError? = nil
    ) {
        for place in head..<calls.count where !calls[place].isDone {
            if calls[place].deadline <= now {
                giveUp(place, cause)
            } else if let lostSince {
                let begun = max(lostSince, calls[place].enqueued)
                if calls[place].sentEver == 0, begun + connectTimeout <= now {
                    giveUp(place, cause)
                }
            } else {
                break
            }
        }
        dropCompleted()
    }

    /// The caller no longer waits.
    package mutating func cancel(_ call: CallNumber) {
        guard let place = place(of: call), !calls[place].isDone else { return }
        giveUp(
            place, StoreError(code: .unavailable, message: "the task that waited was cancelled"))
        dropCompleted()
    }

    /// Answers every call: there will be no more connections.
    package mutating func end(_ cause: StoreError) {
        for place in head..<calls.count where !calls[place].isDone {
            giveUp(place, cause, unreached: cause)
        }
        dropCompleted()
    }

    /// Answers what is left of a call: items that were ever sent as lost, the others as never sent.
    private mutating func giveUp(
        _ place: Int, _ cause: StoreError?, unreached: StoreError? = nil
    ) {
        for item in calls[place].items.indices where isOpen(place, item) {
            let error =
                item < calls[place].sentEver
                ? Self.lost(cause) : unreached ?? Self.unreached(cause)
            settle(place, item, .failure(error))
        }
    }
}
