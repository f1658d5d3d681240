internal import Mailbox
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

extension StoreService {
    @Sendable
    func append(_ request: Wire.AppendRequest) async throws -> Wire.AppendResponse {
        let started = ContinuousClock.now
        let append = try Append(wire: request.hasAppend ? request.append : nil)
        core.activity.busy.record([append], second: core.activity.second)
        let result = try await core.store.append(append)
        core.activity.appended(count: 1, took: .now - started)
        return .with { $0.result = Wire.AppendResult(result) }
    }

    @Sendable
    func appendBatch(
        _ request: Wire.AppendBatchRequest
    ) async throws -> Wire.AppendBatchResponse {
        let started = ContinuousClock.now
        if request.atomic {
            let appends = try request.appends.map { append throws(StoreError) in
                try Append(wire: append, field: "appends")
            }
            core.activity.busy.record(appends, second: core.activity.second)
            let results = try await core.store.append(atomically: appends)
            core.activity.appended(count: results.count, took: .now - started)
            return .with { $0.outcomes = results.map { Wire.AppendOutcome(.success($0)) } }
        }
        // An append that is none is refused for itself, like one that the store refuses.
        var frame = AppendFrame(frame: 0, appends: [])
        for (index, append) in request.appends.enumerated() {
            do throws(StoreError) {
                frame.appends.append(try Append(wire: append, field: "appends"))
            } catch {
                frame.refusals.append(FrameRefusal(index: index, error: error))
            }
        }
        core.activity.busy.record(frame.appends, second: core.activity.second)
        let outcomes = frame.merged(try await core.store.append(batch: frame.appends))
        core.activity.appended(outcomes, took: .now - started)
        return .with { $0.outcomes = outcomes.map { Wire.AppendOutcome($0) } }
    }
}
