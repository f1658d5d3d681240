internal import Mailbox
internal import StoreAPI
internal import StoreEngine

extension StoreService {
    /// The default of a listing's limit.
    static let listingLimit = 1_000

    @Sendable
    func listInbox(
        _ request: Wire.StoreService.Method.ListInbox.Input
    ) async throws -> Wire.ListInboxResponse {
        let receiver = try Address(wire: request.receiver, field: "receiver")
        let after =
            request.after.isEmpty ? nil : try Address(wire: request.after, field: "after")
        let limit = request.limit == 0 ? Self.listingLimit : Int(request.limit)
        let store = core.store
        return try await core.reads.run { () throws(StoreError) in
            Wire.ListInboxResponse(
                try store.inbox(receiver, after: after, limit: limit), epoch: store.epoch)
        }
    }

    @Sendable
    func sync(_ request: Wire.SyncRequest) async throws -> Wire.SyncResponse {
        let started = ContinuousClock.now
        let receiver = try Address(wire: request.receiver, field: "receiver")
        let cursors = try request.decodedCursors()
        let limit = PageLimit(wire: request.hasLimit ? request.limit : nil)
        let store = core.store
        let (response, count, bytes) = try await core.reads.run { () throws(StoreError) in
            let result = try store.sync(receiver, cursors: cursors, limit: limit)
            return (
                Wire.SyncResponse(result),
                result.entries.reduce(0) { $0 + $1.result.messages.count },
                result.entries.reduce(0) { $0 + $1.result.messages.bodyBytes }
            )
        }
        core.activity.fetched(count, bytes: bytes, took: .now - started)
        return response
    }
}
