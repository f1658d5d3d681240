internal import Mailbox
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

extension StoreService {
    /// Runs what reads one mailbox where it may wait for the disk; a refusal names the mailbox.
    func reading<Value: Sendable>(
        _ mailbox: MailboxID, _ body: @escaping @Sendable () throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        do throws(StoreError) {
            return try await core.reads.run(body)
        } catch {
            throw error.about(mailbox)
        }
    }

    @Sendable
    func read(_ request: Wire.ReadRequest) async throws -> Wire.ReadResponse {
        let started = ContinuousClock.now
        let mailbox = try MailboxID(wire: request.hasMailbox ? request.mailbox : nil)
        let limit = PageLimit(wire: request.hasLimit ? request.limit : nil)
        let through = request.hasThrough ? request.through : nil
        let store = core.store
        let (response, count, bytes) = try await reading(mailbox) { () throws(StoreError) in
            let result = try store.read(
                mailbox, after: request.after, through: through, limit: limit)
            return (Wire.ReadResponse(result), result.messages.count, result.messages.bodyBytes)
        }
        core.activity.fetched(count, bytes: bytes, took: .now - started)
        return response
    }

    @Sendable
    func acknowledge(
        _ request: Wire.StoreService.Method.Acknowledge.Input
    ) async throws -> Wire.StoreService.Method.Acknowledge.Output {
        let mailbox = try MailboxID(wire: request.hasMailbox ? request.mailbox : nil)
        let cursor = try Cursor(wire: request.hasCursor ? request.cursor : nil)
        let store = core.store
        let head = try await reading(mailbox) { () throws(StoreError) in
            try store.acknowledge(mailbox, through: cursor)
        }
        return .with {
            $0.head = Wire.Head(head)
            $0.epoch = store.epoch.rawValue
        }
    }

    @Sendable
    func getHead(
        _ request: Wire.StoreService.Method.GetHead.Input
    ) async throws -> Wire.StoreService.Method.GetHead.Output {
        let mailbox = try MailboxID(wire: request.hasMailbox ? request.mailbox : nil)
        let store = core.store
        let head = try await reading(mailbox) { () throws(StoreError) in try store.head(mailbox) }
        return .with {
            $0.head = Wire.Head(head)
            $0.epoch = store.epoch.rawValue
        }
    }

    @Sendable
    func getSendState(
        _ request: Wire.StoreService.Method.GetSendState.Input
    ) async throws -> Wire.StoreService.Method.GetSendState.Output {
        let mailbox = try MailboxID(wire: request.hasMailbox ? request.mailbox : nil)
        let device = try DeviceID(wire: request.device)
        let store = core.store
        let last = try await reading(mailbox) { () throws(StoreError) in
            try store.sendState(mailbox, device: device)
        }
        return .with { $0.lastClientSequence = last }
    }
}
