package import Mailbox

/// Which items go into which frame, and what becomes of them when a connection is lost: the logic
/// of a stream of frames, without any input or output.
///
/// Calls wait in one line, and leave it in frames: whatever waits goes into the next frame as soon
/// as fewer than `framesInFlight` are unanswered. No timer holds anything back.
///
/// When the connection is lost, every unanswered item that can be repeated goes back to its old
/// place in the line, in front of everything newer; on the next connection it is sent again. One
/// that cannot be repeated is answered with `unknown`: it may have been done once, and it is never
/// sent a second time. What was never sent stays in line.
///
/// Invariants:
/// - `calls[place]` has the number `first + (place - head)`; calls in front of `head` are gone.
/// - Calls in front of `unsent` have no item left to send; those behind it have sent none.
/// - Within a call, items in front of `outcomes.count` are answered, those from there to `sent` are
///   in flight or answered out of turn (`aside`), those from `sent` on were not sent on this
///   connection.
package struct FramePipeline<Item: FrameItem>: Sendable {
    /// A call's number, in the order of the line.
    package typealias CallNumber = UInt64
    /// What became of an item.
    package typealias Outcome = Result<Item.Value, StoreError>
    /// A moment, as the caller's clock tells it.
    package typealias Moment = ContinuousClock.Instant

    /// What a frame may hold, and how many may be unanswered.
    package struct Limits: Hashable, Sendable {
        /// The most items in a frame, from 1.
        package var itemsPerFrame: Int
        /// The most bytes in a frame of more than one item.
        package var bytesPerFrame: Int
        /// The largest item that can be sent at all.
        package var itemBytesMaximum: Int
        /// The most frames without an answer, from 1.
        package var framesInFlight: Int

        package init(
            itemsPerFrame: Int, bytesPerFrame: Int, itemBytesMaximum: Int, framesInFlight: Int
        ) {
            self.itemsPerFrame = max(1, itemsPerFrame)
            self.bytesPerFrame = bytesPerFrame
            self.itemBytesMaximum = itemBytesMaximum
            self.framesInFlight = max(1, framesInFlight)
        }
    }

    /// A frame to be sent: the items in their order, in stretches that are not copied.
    package struct Frame: Sendable {
        package let number: UInt64
        package let stretches: [ArraySlice<Item>]
    }

    /// A call whose items are all answered.
    package struct Completion: Sendable {
        package let call: CallNumber
        package let outcomes: [Outcome]
    }

    struct Call: Sendable {
        var items: [Item]
        var outcomes: [Outcome] = []
        /// Outcomes that came before those of items in front of them.
        var aside: [Int: Outcome] = [:]
        /// Items in front of it were sent on this connection, or are answered.
        var sent = 0
        /// Items in front of it were sent on some connection.
        var sentEver = 0
        /// Items in front of it were sent on a connection that was lost.
        var sentBefore = 0
        let bytes: Int
        let enqueued: Moment
        let deadline: Moment
        var isDone = false
    }

    struct Part: Sendable {
        let call: CallNumber
        let range: Range<Int>
    }

    struct FrameInFlight: Sendable {
        let number: UInt64
        var parts: ArraySlice<Part>
    }

    var calls: [Call] = []
    var head = 0
    var first: CallNumber = 0
    /// The place of the first call that has items to send.
    var unsent = 0
    var inFlight: [FrameInFlight] = []
    private var nextFrameNumber: UInt64 = 1
    var limits: Limits?
    /// Since when there is no connection, nil while there is one.
    var lostSince: Moment?
    /// True when the store said that it is going away: nothing more is sent on this connection.
    package internal(set) var mustReconnect = false
    /// Bytes of calls that are not complete.
    package internal(set) var bytesWaiting = 0
    let bytesWaitingMaximum: Int
    var completions: [Completion] = []

    /// An empty line, without a connection.
    package init(bytesWaitingMaximum: Int, now: Moment) {
        self.bytesWaitingMaximum = bytesWaitingMaximum
        lostSince = now
    }

    /// True when no call waits.
    package var isEmpty: Bool { head == calls.count }
    /// True when something waits to be sent.
    package var hasUnsent: Bool { unsent < calls.count }
    /// True between `connected` and `connectionLost`.
    package var isConnected: Bool { limits != nil }

    /// Puts a call at the end of the line.
    ///
    /// - Parameter items: at least one.
    /// - Throws: `overloaded` when too many bytes wait already.
    package mutating func enqueue(
        _ items: [Item], now: Moment, deadline: Moment
    ) throws(StoreError) -> CallNumber {
        precondition(!items.isEmpty)
        let bytes = items.reduce(0) { $0 + $1.wireBytes }
        guard bytesWaiting == 0 || bytesWaiting + bytes <= bytesWaitingMaximum else {
            throw StoreError(
                code: .overloaded,
                message:
                    "\(bytesWaiting) bytes wait for the store already; the client takes at most "
                    + "\(bytesWaitingMaximum); try again when some are answered")
        }
        bytesWaiting += bytes
        calls.append(Call(items: items, bytes: bytes, enqueued: now, deadline: deadline))
        return first + UInt64(calls.count - 1 - head)
    }

    /// A connection is there, with the limits of the store behind it.
    package mutating func connected(_ limits: Limits) {
        self.limits = limits
        lostSince = nil
        mustReconnect = false
    }

    /// True when `nextFrame` has something to do.
    package var canSend: Bool {
        guard let limits else { return false }
        return !mustReconnect && hasUnsent && inFlight.count < limits.framesInFlight
    }

    /// The next frame to send, nil when nothing waits or too much is unanswered. From here on its
    /// items count as sent.
    package mutating func nextFrame() -> Frame? {
        guard let limits, canSend else { return nil }
        var frame = FrameBuilder(limits: limits)
        while unsent < calls.count {
            guard fill(&frame, from: unsent) else { break }
            unsent += 1
        }
        dropCompleted()
        guard !frame.parts.isEmpty else { return nil }
        let number = nextFrameNumber
        nextFrameNumber += 1
        inFlight.append(FrameInFlight(number: number, parts: frame.parts[...]))
        return Frame(number: number, stretches: frame.stretches)
    }

    /// What is put into one frame.
    private struct FrameBuilder {
        let limits: Limits
        var stretches: [ArraySlice<Item>] = []
        var parts: [Part] = []
        var items = 0
        var bytes = 0

        func hasRoom(for itemBytes: Int) -> Bool {
            items == 0
                || items < limits.itemsPerFrame && bytes + itemBytes <= limits.bytesPerFrame
        }
    }

    /// Takes a call's unsent items into a frame.
    ///
    /// - Returns: false when the frame is full and the call has more.
    private mutating func fill(_ frame: inout FrameBuilder, from place: Int) -> Bool {
        while !calls[place].isDone, calls[place].sent < calls[place].items.count {
            let start = calls[place].sent
            var end = start
            var isFull = false
            var isTooLarge = false
            while end < calls[place].items.count, calls[place].aside[end] == nil {
                let bytes = calls[place].items[end].wireBytes
                isTooLarge = bytes > frame.limits.itemBytesMaximum
                isFull = !isTooLarge && !frame.hasRoom(for: bytes)
                if isTooLarge || isFull { break }
                frame.items += 1
                frame.bytes += bytes
                end += 1
            }
            if start < end {
                frame.stretches.append(calls[place].items[start..<end])
                frame.parts.append(Part(call: number(of: place), range: start..<end))
            }
            calls[place].sent = end
            calls[place].sentEver = max(calls[place].sentEver, end)
            if isFull { return false }
            guard end < calls[place].items.count else { break }
            calls[place].sent += 1
            if isTooLarge { settle(place, end, .failure(tooLarge(place, end, frame.limits))) }
        }
        return true
    }

    private func tooLarge(_ place: Int, _ item: Int, _ limits: Limits) -> StoreError {
        StoreError(
            code: .messageTooLarge,
            message:
                "the message needs \(calls[place].items[item].wireBytes) bytes in a request; the "
                + "server takes at most \(limits.itemBytesMaximum)")
    }

    /// The calls that were completed since this was asked last.
    package mutating func takeCompletions() -> [Completion] {
        defer { completions = [] }
        return completions
    }
}

extension FramePipeline {
    func number(of place: Int) -> CallNumber { first + UInt64(place - head) }

    /// The place of a call, nil when it is gone.
    func place(of call: CallNumber) -> Int? {
        guard call >= first, call - first < UInt64(calls.count - head) else { return nil }
        return head + Int(call - first)
    }

    /// True when the item has no outcome yet.
    func isOpen(_ place: Int, _ item: Int) -> Bool {
        !calls[place].isDone && item >= calls[place].outcomes.count
            && calls[place].aside[item] == nil
    }

    /// Notes an item's outcome, and completes its call when it was the last.
    mutating func settle(_ place: Int, _ item: Int, _ outcome: Outcome) {
        guard !calls[place].isDone else { return }
        guard item == calls[place].outcomes.count else {
            calls[place].aside[item] = outcome
            return
        }
        calls[place].outcomes.append(outcome)
        while !calls[place].aside.isEmpty,
            let next = calls[place].aside.removeValue(forKey: calls[place].outcomes.count)
        {
            calls[place].outcomes.append(next)
        }
        if calls[place].outcomes.count == calls[place].items.count { complete(place) }
    }

    /// Completes a call. Its place stays until those in front of it are gone, too.
    mutating func complete(_ place: Int) {
        completions.append(
            Completion(call: number(of: place), outcomes: calls[place].outcomes))
        bytesWaiting -= calls[place].bytes
        calls[place].isDone = true
        calls[place].items = []
        calls[place].outcomes = []
        calls[place].aside = [:]
    }

    /// Lets go of the calls at the front that are complete.
    mutating func dropCompleted() {
        while head < calls.count, calls[head].isDone {
            head += 1
            first += 1
        }
        unsent = max(unsent, head)
        if head == calls.count {
            calls.removeAll(keepingCapacity: calls.capacity <= 4_096)
            unsent = 0
            head = 0
        } else if head > 64, head > calls.count / 2 {
            calls.removeSubrange(0..<head)
            unsent -= head
            head = 0
        }
    }
}
