internal import Mailbox
internal import StoreAPI

/// What of a frame of fetches is still to be answered: handed out in stretches of a few.
struct FetchPieces {
    /// An answer is written when it has about so many bytes.
    static let answerBytes = 1 << 20
    /// Fetches that are made at the same time.
    private static let stretchCount = 16

    private let frame: FetchFrame
    private var nextFetch = 0
    private var nextRefusal = 0

    init(_ frame: FetchFrame) { self.frame = frame }

    var isEmpty: Bool {
        nextFetch == frame.fetches.count && nextRefusal == frame.refusals.count
    }

    /// The next parts of the frame, as a frame of their own.
    mutating func takeStretch() -> FetchFrame {
        let begin = nextFetch + nextRefusal
        var stretch = FetchFrame(frame: frame.frame, fetches: [])
        for place in begin..<begin + Self.stretchCount {
            if nextRefusal < frame.refusals.count, frame.refusals[nextRefusal].index == place {
                let error = frame.refusals[nextRefusal].error
                stretch.refusals.append(FrameRefusal(index: place - begin, error: error))
                nextRefusal += 1
            } else if nextFetch < frame.fetches.count {
                stretch.fetches.append(frame.fetches[nextFetch])
                nextFetch += 1
            } else {
                // Refusals name places of the frame, so none is left behind its last part.
                nextRefusal = frame.refusals.count
                break
            }
        }
        return stretch
    }

    /// What an outcome takes on the wire, about.
    static func bytes(of outcome: FetchOutcome) -> Int {
        switch outcome {
        case .success(let result): 64 + result.messages.bodyBytes + 32 * result.messages.count
        case .failure: 256
        }
    }
}
