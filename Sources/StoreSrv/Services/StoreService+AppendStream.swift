internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import StoreEngine

extension StoreService {
    /// Frames are queued for the journal as they come, and answered in their order by another task:
    /// a frame never waits for the one before it to be durable.
    ///
    /// What is read and not answered is bounded: in this stream, and over all streams. At the bound
    /// nothing is read, and HTTP/2 makes the client wait. A client that does not read its answers
    /// holds up its own stream alone: the bound over all streams counts what the journal lacks, not
    /// what clients have not read.
    @Sendable
    func appendStream(
        _ frames: RPCAsyncSequence<AppendFrame, any Error>,
        _ answers: RPCWriter<AppendFrameAnswer>
    ) async throws {
        let (submitted, continuation) = AsyncStream.makeStream(of: SubmittedFrame.self)
        let streamCredit = CreditCounter(maximum: core.configuration.streamBytesMaximum)
        let reader = Task { () -> (any Error)? in
            defer { continuation.finish() }
            do {
                for try await frame in frames {
                    continuation.yield(try await submit(frame, streamCredit))
                }
                try Task.checkCancellation()
                return nil
            } catch {
                return error
            }
        }
        // What was queued is answered even when the call is cut off by the end of the server.
        try await withRPCCancellationHandler {
            await write(answers, submitted, streamCredit, reader)
            if let error = await reader.value { throw error }
        } onCancelRPC: {
            reader.cancel()
        }
    }

    /// Writes the answers, in order. An answer that cannot be written ends the reading, too.
    private func write(
        _ answers: RPCWriter<AppendFrameAnswer>, _ submitted: AsyncStream<SubmittedFrame>,
        _ streamCredit: CreditCounter, _ reader: Task<(any Error)?, Never>
    ) async {
        for await frame in submitted {
            let outcomes = await frame.outcomes()
            core.activity.appended(outcomes, took: .now - frame.started)
            do {
                try await answers.write(
                    AppendFrameAnswer(frame: frame.number, outcomes: outcomes))
            } catch {
                reader.cancel()
                return
            }
            streamCredit.give(frame.charge)
        }
    }

    private func submit(
        _ frame: AppendFrame, _ streamCredit: CreditCounter
    ) async throws -> SubmittedFrame {
        let charge = frame.charge
        try await streamCredit.take(charge)
        try await core.appendCredit.take(charge)
        let started = ContinuousClock.now
        core.activity.busy.record(frame.appends, second: core.activity.second)
        let credit = core.appendCredit
        let pending: PendingAppend
        do throws(StoreError) {
            pending = try core.store.submit(batch: frame.appends) { credit.give(charge) }
        } catch {
            credit.give(charge)
            throw error
        }
        return SubmittedFrame(frame, pending: pending, charge: charge, started: started)
    }
}

/// A frame on its way to the disk.
private struct SubmittedFrame: Sendable {
    let number: UInt64
    let pending: PendingAppend
    /// The frame's refusals; its appends are the store's now.
    private let refused: AppendFrame
    private let count: Int
    let charge: Int
    let started: ContinuousClock.Instant

    init(
        _ frame: AppendFrame, pending: PendingAppend, charge: Int,
        started: ContinuousClock.Instant
    ) {
        number = frame.frame
        self.pending = pending
        var refused = frame
        refused.appends = []
        self.refused = refused
        count = frame.appends.count
        self.charge = charge
        self.started = started
    }

    /// One for each append of the frame. What concerns the frame as a whole is the outcome of each.
    func outcomes() async -> [AppendOutcome] {
        do throws(StoreError) {
            return refused.merged(try await pending.results())
        } catch {
            return refused.merged([AppendOutcome](repeating: .failure(error), count: count))
        }
    }
}

extension AppendFrame {
    /// What the frame takes in memory until it is answered, about.
    fileprivate var charge: Int {
        appends.reduce(1_024 + 512 * refusals.count) { $0 + 256 + $1.body.count }
    }
}
