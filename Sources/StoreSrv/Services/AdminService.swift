internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

/// What an operator does to a running store: what takes long is in extensions of its own.
struct AdminService: RegistrableRPCService {
    let core: ServerCore
    let verifying = ExclusiveUse("a check is under way already; try again when it is done")
    let backingUp = ExclusiveUse("a backup is under way already; try again when it is done")

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        typealias Method = Wire.AdminService.Method
        router.registerUnary(Method.Compact.descriptor, core, compact)
        router.registerUnary(Method.Checkpoint.descriptor, core, checkpoint)
        router.registerServerStream(Method.Verify.descriptor, core, verify)
        router.registerServerStream(Method.Backup.descriptor, core, backup)
        router.registerUnary(Method.GetStats.descriptor, core, getStats)
        router.registerUnary(Method.ListMailboxes.descriptor, core, listMailboxes)
    }

    @Sendable
    func compact(
        _ request: Wire.AdminService.Method.Compact.Input
    ) async throws -> Wire.CompactResponse {
        let policy = request.hasPolicy ? try RetentionPolicy(wire: request.policy) : nil
        return Wire.CompactResponse(try await core.store.compact(policy))
    }

    @Sendable
    func checkpoint(
        _ request: Wire.AdminService.Method.Checkpoint.Input
    ) async throws -> Wire.AdminService.Method.Checkpoint.Output {
        try await core.store.checkpoint()
        return .init()
    }

    @Sendable
    func listMailboxes(
        _ request: Wire.AdminService.Method.ListMailboxes.Input
    ) async throws -> Wire.ListMailboxesResponse {
        let after =
            request.hasAfter ? try MailboxID(wire: request.after, field: "after") : nil
        let limit = request.limit == 0 ? StoreService.listingLimit : Int(request.limit)
        let store = core.store
        return try await core.reads.run { () throws(StoreError) in
            let page = try store.mailboxes(after: after, limit: limit)
            return .with {
                $0.entries = page.entries.map { Wire.MailboxHead($0.mailbox, $0.head) }
                if let next = page.next { $0.next = Wire.MailboxID(next) }
            }
        }
    }
}
