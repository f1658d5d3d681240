import Logging
import Mailbox
import Metrics
import RecvSrv
import SendSrv
import ServiceHost
import StoreAPI
import Synchronization

/// SendSrv and RecvSrv on free ports of this machine, in front of a storage, and their clients.
struct ServiceStack: Sendable {
    let send: SendClient
    let receive: RecvClient
    let sendServers: [SendServer]

    /// Serves while `body` runs.
    ///
    /// - Parameter sendCount: instances of SendSrv; the client uses all.
    static func with<Answer: Sendable>(
        _ storage: any MailboxStorage, push: any PushNotifying = NoPush(), sendCount: Int = 1,
        _ body: @escaping @Sendable (ServiceStack) async throws -> Answer
    ) async throws -> Answer {
        let info: @Sendable () async throws -> StoreInfo = {
            StoreInfo(
                epoch: try await storage.epoch, shardCount: 1, durability: .commit,
                messageBytesMaximum: 70_000, batchMessagesMaximum: 500,
                requestBytesMaximum: 8 << 20, pageMessagesMaximum: 10_000,
                pageBytesMaximum: 16 << 20, version: "test")
        }
        let logger = Logger(label: "test") { _ in SwiftLogNoOpLogHandler() }
        let activity = SendActivity(metrics: NOOPMetricsHandler.instance)
        let sendServers = (0..<sendCount).map { _ in
            let sender = MessageSender(
                storage: storage, facts: facts(storage), push: push,
                configuration: SendConfiguration(), activity: activity)
            return SendServer(
                sender: sender, info: info, configuration: host(), activity: activity,
                logger: logger)
        }
        let recvServer = RecvServer(
            receiver: StorageReceiver(storage), info: info, configuration: host(),
            activity: RecvActivity(metrics: NOOPMetricsHandler.instance), logger: logger)
        return try await withThrowingTaskGroup(of: Void.self) { group in
            for server in sendServers { group.addTask { try await server.run() } }
            group.addTask { try await recvServer.run() }
            var endpoints: [StoreClientConfiguration.Target.Endpoint] = []
            for server in sendServers { endpoints.append(try await endpoint(server.addresses)) }
            let send = try SendClient(client(endpoints))
            let receive = try RecvClient(client([try await endpoint(recvServer.addresses)]))
            group.addTask { try await send.run() }
            group.addTask { try await receive.run() }
            let result: Result<Answer, any Error>
            do {
                result = .success(
                    try await body(
                        ServiceStack(send: send, receive: receive, sendServers: sendServers)))
            } catch {
                result = .failure(error)
            }
            send.close()
            receive.close()
            for server in sendServers { server.beginDraining() }
            recvServer.beginDraining()
            try await group.waitForAll()
            return try result.get()
        }
    }

    static func facts(_ storage: any MailboxStorage) -> MessageSender.Facts {
        MessageSender.Facts(
            bodyBytesMaximum: { () async throws(StoreError) in 70_000 })
    }

    private static func host() -> HostConfiguration {
        var configuration = HostConfiguration()
        configuration.endpoint = .init(host: "127.0.0.1", port: 0)
        return configuration
    }

    private static func client(
        _ endpoints: [StoreClientConfiguration.Target.Endpoint]
    ) -> StoreClientConfiguration {
        var configuration = StoreClientConfiguration(.anyOf(endpoints))
        configuration.backoffInitial = .milliseconds(5)
        configuration.backoffMaximum = .milliseconds(20)
        return configuration
    }

    private static func endpoint(
        _ addresses: [ListeningAddress]
    ) throws -> StoreClientConfiguration.Target.Endpoint {
        guard case .tcp(let host, let port) = addresses.first else {
            throw StoreError(code: .failed, message: "no port was bound")
        }
        return .init(host: host, port: port)
    }
}

/// A storage whose verbs go through SendSrv and RecvSrv; what they do not offer goes to the storage
/// behind them.
struct ServedStorage: MailboxStorage {
    let stack: ServiceStack
    let behind: any MailboxStorage

    var epoch: Epoch { get async throws(StoreError) { try await stack.receive.epoch } }

    func append(_ append: Append) async throws(StoreError) -> AppendResult {
        try await stack.send.send(append)
    }

    func append(
        batch: [Append]
    ) async throws(StoreError) -> [Result<AppendResult, StoreError>] {
        guard batch.count <= 500 else { return try await behind.append(batch: batch) }
        return await stack.send.sendAll(batch)
    }

    func append(atomically batch: [Append]) async throws(StoreError) -> [AppendResult] {
        try await behind.append(atomically: batch)
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await stack.send.sendState(mailbox, device: device)
    }

    func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await stack.receive.fetch(mailbox, cursor: cursor, limit: limit)
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        try await stack.receive.read(mailbox, after: after, through: through, limit: limit)
    }

    func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        try await stack.receive.acknowledge(mailbox, through: cursor)
    }

    func head(_ mailbox: MailboxID) async throws(StoreError) -> Head {
        try await stack.receive.head(mailbox)
    }

    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        try await stack.receive.inbox(receiver, after: after, limit: limit)
    }

    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        try await stack.receive.sync(receiver, cursors: cursors, limit: limit)
    }

    func watch(
        _ receivers: [Address]
    ) async throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        try await behind.watch(receivers)
    }

    func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        try await behind.compact(policy)
    }
}

extension MessageSending {
    /// Hands all over without waiting for any, and answers in their order.
    func sendAll(_ appends: [Append]) async -> [Result<AppendResult, StoreError>] {
        typealias Outcomes = [Result<AppendResult, StoreError>?]
        let outcomes = Outcomes(repeating: nil, count: appends.count)
        let state = Mutex((outcomes: outcomes, missing: appends.count))
        guard !appends.isEmpty else { return [] }
        await withCheckedContinuation { continuation in
            for (place, append) in appends.enumerated() {
                send(append) { outcome in
                    let isLast = state.withLock { state in
                        state.outcomes[place] = outcome
                        state.missing -= 1
                        return state.missing == 0
                    }
                    if isLast { continuation.resume() }
                }
            }
        }
        return state.withLock { $0.outcomes.compactMap(\.self) }
    }
}
