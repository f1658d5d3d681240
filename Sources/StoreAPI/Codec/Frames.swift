package import Mailbox

/// A part of a frame that was refused before the store saw it: its place, and why.
package struct FrameRefusal: Sendable {
    /// The place among all parts of the frame, from 0.
    package var index: Int
    package var error: StoreError

    package init(index: Int, error: StoreError) {
        self.index = index
        self.error = error
    }
}

/// A frame of appends: what an AppendStreamRequest says.
package struct AppendFrame: Sendable {
    /// The client's number for the frame.
    package var frame: UInt64
    /// The appends that are well-formed, in their order.
    package var appends: [Append]
    /// Those that are not: each is an outcome of its own, and the others go on. In rising order.
    package var refusals: [FrameRefusal] = []

    package init(frame: UInt64, appends: [Append]) {
        self.frame = frame
        self.appends = appends
    }

    /// The outcomes of all parts of the frame, given those of the well-formed ones.
    package func merged(_ outcomes: [AppendOutcome]) -> [AppendOutcome] {
        refusals.isEmpty ? outcomes : merge(outcomes, refusals)
    }
}

/// A frame of appends as a client sends it: stretches of what its callers gave, not copied.
package struct OutgoingAppendFrame: Sendable {
    package var number: UInt64
    package var stretches: [ArraySlice<Append>]

    package init(number: UInt64, stretches: [ArraySlice<Append>]) {
        self.number = number
        self.stretches = stretches
    }
}

/// The answer to a frame of appends: what an AppendStreamResponse says.
package struct AppendFrameAnswer: Sendable {
    package var frame: UInt64
    /// One for each append of the frame, in their order.
    package var outcomes: [AppendOutcome]

    package init(frame: UInt64, outcomes: [AppendOutcome]) {
        self.frame = frame
        self.outcomes = outcomes
    }
}

/// A frame of fetches: what a FetchStreamRequest says.
package struct FetchFrame: Sendable {
    /// The client's number for the frame.
    package var frame: UInt64
    /// The fetches that are well-formed, in their order.
    package var fetches: [FetchCall]
    /// Those that are not: each is an outcome of its own, and the others go on. In rising order.
    package var refusals: [FrameRefusal] = []

    package init(frame: UInt64, fetches: [FetchCall]) {
        self.frame = frame
        self.fetches = fetches
    }

    /// The outcomes of all parts of the frame, given those of the well-formed ones.
    package func merged(_ outcomes: [FetchOutcome]) -> [FetchOutcome] {
        refusals.isEmpty ? outcomes : merge(outcomes, refusals)
    }
}

/// A frame of fetches as a client sends it.
package struct OutgoingFetchFrame: Sendable {
    package var number: UInt64
    package var stretches: [ArraySlice<FetchCall>]

    package init(number: UInt64, stretches: [ArraySlice<FetchCall>]) {
        self.number = number
        self.stretches = stretches
    }
}

/// An answer, or a part of the answer, to a frame of fetches: what a FetchStreamResponse says.
package struct FetchFrameAnswer: Sendable {
    package var frame: UInt64
    /// The frame's next outcomes, in the order of its fetches.
    package var outcomes: [FetchOutcome]
    /// True when the frame's outcomes go on in the next answer.
    package var continues: Bool

    package init(frame: UInt64, outcomes: [FetchOutcome], continues: Bool = false) {
        self.frame = frame
        self.outcomes = outcomes
        self.continues = continues
    }
}

/// Puts refusals at their places among the outcomes of the other parts.
private func merge<Success>(
    _ outcomes: [Result<Success, StoreError>], _ refusals: [FrameRefusal]
) -> [Result<Success, StoreError>] {
    var merged: [Result<Success, StoreError>] = []
    merged.reserveCapacity(outcomes.count + refusals.count)
    var rest = outcomes[...]
    for refusal in refusals {
        let before = rest.prefix(refusal.index - merged.count)
        merged += before
        rest = rest.dropFirst(before.count)
        merged.append(.failure(refusal.error))
    }
    merged += rest
    return merged
}
