internal import GRPCCore
internal import GRPCNIOTransportHTTP2
public import Mailbox
internal import SwiftProtobuf

extension StoreClient {
    /// Removes what the policy allows. Takes its time, and has no limit of its own.
    ///
    /// - Throws: what a store throws; `unavailable`; `unknown` when the connection was lost: then
    ///   it may be done in part, and can be asked for again.
    @discardableResult
    public func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        try await longCall { options in
            let request = Wire.CompactRequest.with {
                if let policy { $0.policy = Wire.RetentionPolicy(policy) }
            }
            return CompactionReport(
                wire: try await self.adminService.compact(request, options: options))
        }
    }

    /// Writes everything durable into the data files.
    ///
    /// - Throws: as `compact`.
    public func checkpoint() async throws(StoreError) {
        try await longCall { options in
            _ = try await self.adminService.checkpoint(.init(), options: options)
        }
    }

    /// Checks every checksum, every sequence and every head of the store.
    ///
    /// - Parameter progress: called now and then.
    /// - Throws: as `compact`. Damage is reported, not thrown.
    public func verify(
        progress: (@Sendable (ServerVerifyProgress) -> Void)? = nil
    ) async throws(StoreError) -> ServerVerifyReport {
        try await longCall { options in
            try await self.adminService.verify(.init(), options: options) { response in
                for try await message in response.messages {
                    switch message.event {
                    case .progress(let step): progress?(ServerVerifyProgress(wire: step))
                    case .report(let report): return ServerVerifyReport(wire: report)
                    case nil: continue
                    }
                }
                throw StoreError.missing("report")
            }
        }
    }

    /// The store's counts, sizes and condition.
    public func statistics() async throws(StoreError) -> ServerStatistics {
        try await call { options in
            try ServerStatistics(
                wire: try await self.adminService.getStats(.init(), options: options))
        }
    }

    /// All mailboxes that somebody ever wrote to, above `after`, at most `limit` (1 … 10 000).
    public func mailboxes(
        after: MailboxID? = nil, limit: Int = 1_000
    ) async throws(StoreError) -> ServerMailboxPage {
        try Self.checkPage(limit)
        return try await call { options in
            let response = try await self.adminService.listMailboxes(
                .with {
                    if let after { $0.after = Wire.MailboxID(after) }
                    $0.limit = UInt32(limit)
                }, options: options)
            return try ServerMailboxPage(wire: response)
        }
    }

    /// Makes a call without a limit of time, once there is a connection.
    func longCall<Answer: Sendable>(
        _ body: (CallOptions) async throws -> Answer
    ) async throws(StoreError) -> Answer {
        try await reach()
        var options = CallOptions.defaults
        options.maxResponseMessageBytes = configuration.answerBytesMaximum
        do {
            return try await body(options)
        } catch {
            let failure = Self.storeError(error)
            guard failure.code == .unavailable else { throw failure }
            throw Self.lost(failure)
        }
    }
}
