internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import StoreEngine

/// The store's service: one method of the contract each in the extensions, by capability.
struct StoreService: RegistrableRPCService {
    let core: ServerCore

    func registerMethods<Transport: ServerTransport>(with router: inout RPCRouter<Transport>) {
        typealias Method = Wire.StoreService.Method
        router.registerUnary(Method.Append.descriptor, core, append)
        router.registerUnary(Method.AppendBatch.descriptor, core, appendBatch)
        router.registerStream(
            HotMethods.appendStream, core, AppendFrameDeserializer(),
            AppendFrameAnswerSerializer(), appendStream)
        router.registerUnary(Method.Fetch.descriptor, core, fetch)
        router.registerStream(
            HotMethods.fetchStream, core, FetchFrameDeserializer(), FetchFrameAnswerSerializer(),
            fetchStream)
        router.registerUnary(Method.Read.descriptor, core, read)
        router.registerUnary(Method.Acknowledge.descriptor, core, acknowledge)
        router.registerUnary(Method.GetHead.descriptor, core, getHead)
        router.registerUnary(Method.GetSendState.descriptor, core, getSendState)
        router.registerUnary(Method.ListInbox.descriptor, core, listInbox)
        router.registerUnary(Method.Sync.descriptor, core, sync)
        router.registerServerStream(Method.Watch.descriptor, core, watch)
        router.registerUnary(Method.GetStoreInfo.descriptor, core, getStoreInfo)
    }

    @Sendable
    func getStoreInfo(
        _ request: Mailbox_Store_V1_GetStoreInfoRequest
    ) async throws -> Wire.GetStoreInfoResponse {
        let store = core.store.configuration
        return Wire.GetStoreInfoResponse(
            StoreInfo(
                epoch: core.store.epoch, shardCount: core.store.shardCount,
                durability: store.durability, messageBytesMaximum: store.messageBytesMaximum,
                batchMessagesMaximum: store.batchMessagesMaximum,
                requestBytesMaximum: core.configuration.requestBytesMaximum,
                pageMessagesMaximum: store.pageMessagesMaximum,
                pageBytesMaximum: store.pageBytesMaximum, version: core.configuration.version))
    }
}
