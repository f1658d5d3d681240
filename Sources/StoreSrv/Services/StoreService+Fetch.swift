internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import StoreEngine

extension StoreService {
    @Sendable
    func fetch(_ request: Wire.FetchRequest) async throws -> Wire.FetchResponse {
        let started = ContinuousClock.now
        let call = try FetchCall(wire: request)
        let store = core.store
        // Encoded on the pool's thread, too: a page is up to some megabytes.
        let (response, count, bytes) = try await reading(call.mailbox) { () throws(StoreError) in
            let result = try store.fetch(call.mailbox, cursor: call.cursor, limit: call.limit)
            return (Wire.FetchResponse(result), result.messages.count, result.messages.bodyBytes)
        }
        core.activity.fetched(count, bytes: bytes, took: .now - started)
        return response
    }

    /// Answers frames one after the other; a large answer goes out in pieces of about a mebibyte,
    /// and the next piece is fetched when the last is written: a client that does not read costs
    /// one piece.
    @Sendable
    func fetchStream(
        _ frames: RPCAsyncSequence<FetchFrame, any Error>, _ answers: RPCWriter<FetchFrameAnswer>
    ) async throws {
        try await endingWithCall {
            for try await frame in frames {
                var left = FetchPieces(frame)
                repeat {
                    let piece = try await nextPiece(left)
                    left = piece.left
                    try await answers.write(
                        FetchFrameAnswer(
                            frame: frame.frame, outcomes: piece.outcomes,
                            continues: !left.isEmpty))
                } while !left.isEmpty
            }
            try Task.checkCancellation()
        }
    }

    private func nextPiece(
        _ pieces: FetchPieces
    ) async throws(StoreError) -> (outcomes: [FetchOutcome], left: FetchPieces) {
        let started = ContinuousClock.now
        let store = core.store
        let (outcomes, left) = try await core.reads.run { () throws(StoreError) in
            var left = pieces
            return (left.takeNext(from: store), left)
        }
        var messages = 0
        var bytes = 0
        for outcome in outcomes {
            switch outcome {
            case .success(let result):
                messages += result.messages.count
                bytes += result.messages.bodyBytes
            case .failure(let error): core.activity.refused(error.code)
            }
        }
        core.activity.fetched(messages, bytes: bytes, took: .now - started)
        return (outcomes, left)
    }
}

/// What of a frame of fetches is still to be answered.
private struct FetchPieces: Sendable {
    private static let pieceBytes = 1 << 20
    /// A fetch without messages has a head all the same.
    private static let outcomeBytes = 64

    private let fetches: [FetchCall]
    private let refusals: [FrameRefusal]
    private var nextFetch = 0
    private var nextRefusal = 0

    init(_ frame: FetchFrame) {
        fetches = frame.fetches
        refusals = frame.refusals
    }

    var isEmpty: Bool { nextFetch == fetches.count && nextRefusal == refusals.count }

    /// The next outcomes, in the order of the frame, up to about a mebibyte.
    mutating func takeNext(from store: MailboxStore) -> [FetchOutcome] {
        var outcomes: [FetchOutcome] = []
        var bytes = 0
        while !isEmpty, bytes < Self.pieceBytes {
            let place = nextFetch + nextRefusal
            if nextRefusal < refusals.count, refusals[nextRefusal].index == place {
                outcomes.append(.failure(refusals[nextRefusal].error))
                nextRefusal += 1
                bytes += 4 * Self.outcomeBytes
                continue
            }
            // A frame whose refusals name places that it does not have: the rest are fetches.
            guard nextFetch < fetches.count else {
                nextRefusal = refusals.count
                break
            }
            let call = fetches[nextFetch]
            nextFetch += 1
            do throws(StoreError) {
                let result = try store.fetch(call.mailbox, cursor: call.cursor, limit: call.limit)
                bytes +=
                    Self.outcomeBytes + result.messages.bodyBytes + 32 * result.messages.count
                outcomes.append(.success(result))
            } catch {
                bytes += 4 * Self.outcomeBytes
                outcomes.append(.failure(error.about(call.mailbox)))
            }
        }
        return outcomes
    }
}
