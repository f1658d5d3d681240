public import Mailbox

extension StoreClient {
    /// Stores one message, and answers when it is durable.
    ///
    /// - Throws: what a store throws; `unknown` when the connection was lost or the time was over
    ///   while an append without a producer was on its way, and for one with a producer when it
    ///   could not be settled in time; `unavailable` when nothing was sent; `overloaded` also when
    ///   too much waits in this client.
    public func append(_ append: Append) async throws(StoreError) -> AppendResult {
        let outcomes = try await appends.perform([append])
        return try outcomes[0].get()
    }

    /// Stores many messages in as few frames as they need, each accepted or refused for itself, in
    /// the order given.
    ///
    /// - Throws: what concerns the whole call, as a store does; then every message failed for that
    ///   reason.
    public func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        try checkOpen()
        guard !batch.isEmpty else { return [] }
        try await checkCount(batch)
        let outcomes = try await appends.perform(batch)
        if let error = Self.refusal(ofAll: outcomes) { throw error }
        return outcomes
    }

    /// Stores all messages or none. Sent again when the answer was lost and every message has a
    /// producer: then duplicates are answered as such.
    ///
    /// - Throws: the first refusal, naming its mailbox; then nothing was stored. `unknown` when the
    ///   answer was lost: then all are stored, once, or none.
    public func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        try checkOpen()
        guard !batch.isEmpty else { return [] }
        try await checkCount(batch)
        var request = Wire.AppendBatchRequest()
        request.appends = batch.map { Wire.Append($0) }
        request.atomic = true
        let settled = request
        let repetition: Repetition = batch.allSatisfy(\.canBeRepeated) ? .harmless : .harmful
        var attempts = 0
        return try await call(repetition) { options in
            attempts += 1
            let response = try await self.service.appendBatch(settled, options: options)
            guard response.outcomes.count == batch.count else {
                throw StoreError.missing("outcome")
            }
            return try response.outcomes.map { outcome in
                var result = try AppendResult(wire: outcome.result)
                if attempts > 1 { result.wasResent = true }
                return result
            }
        }
    }

    private func checkCount(_ batch: [Append]) async throws(StoreError) {
        // Few appends are within any store's limit; the store itself sees to that.
        guard batch.count > 128 else { return }
        let limit = try await info().batchMessagesMaximum
        guard batch.count <= limit else {
            throw .invalidArgument(
                "the batch has \(batch.count) messages; this store takes at most \(limit) a call")
        }
    }

    /// The error that every message failed with, when it concerns the call and not the message.
    private static func refusal(ofAll outcomes: [AppendOutcome]) -> StoreError? {
        guard case .failure(let first) = outcomes[0], wholeCallCodes.contains(first.code) else {
            return nil
        }
        let isSame = outcomes.allSatisfy { outcome in
            guard case .failure(let error) = outcome else { return false }
            return error.code == first.code
        }
        return isSame ? first : nil
    }

    private static let wholeCallCodes: Set<StoreError.Code> = [
        .overloaded, .storageFull, .failed, .closed, .locked, .unavailable, .unknown,
    ]
}
