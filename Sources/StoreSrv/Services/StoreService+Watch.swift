internal import GRPCCore
internal import Mailbox
internal import ServiceHost
internal import StoreAPI
internal import StoreEngine

extension StoreService {
    /// Says what is ready in one answer. A client that reads slowly holds up the writing; meanwhile
    /// the engine keeps the newest head of each mailbox, and nothing more.
    @Sendable
    func watch(
        _ request: Wire.StoreService.Method.Watch.Input, _ answers: RPCWriter<Wire.WatchResponse>
    ) async throws {
        let receivers = try request.receivers.map { receiver throws(StoreError) in
            try Address(wire: receiver, field: "receivers")
        }
        let watch = try core.store.headWatch(receivers)
        let epoch = core.store.epoch.rawValue
        // Listing reads from the data file: the watch lives on the threads that may wait for it.
        try await endingWithCall(on: core.reads) {
            var events = watch.makeAsyncIterator()
            while let ready = try await events.nextReady() {
                var response = Wire.WatchResponse()
                response.epoch = epoch
                for event in ready {
                    switch event {
                    case .head(let mailbox, let head):
                        response.heads.append(Wire.MailboxHead(mailbox, head))
                    case .caughtUp: response.caughtUp = true
                    }
                }
                try await answers.write(response)
            }
            throw CancellationError()
        }
    }
}
