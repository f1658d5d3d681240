internal import GRPCCore
internal import GRPCNIOTransportHTTP2

/// Which method of which service answers a call of the store's contract. SendSrv and RecvSrv take
/// and give the store's own messages, so that one client speaks to all three.
struct ServiceRoutes: Sendable {
    private let targets: [MethodDescriptor: MethodDescriptor]

    /// The store itself.
    static let store = ServiceRoutes(targets: [:])

    /// SendSrv.
    static let send = ServiceRoutes(targets: [
        Store.Append.descriptor: Send.Send.descriptor,
        Store.AppendStream.descriptor: Send.SendStream.descriptor,
        Store.GetSendState.descriptor: Send.GetSendState.descriptor,
        Store.GetStoreInfo.descriptor: Send.GetStoreInfo.descriptor,
    ])

    /// RecvSrv.
    static let receive = ServiceRoutes(targets: [
        Store.Fetch.descriptor: Receive.Fetch.descriptor,
        Store.FetchStream.descriptor: Receive.FetchStream.descriptor,
        Store.Sync.descriptor: Receive.Sync.descriptor,
        Store.Acknowledge.descriptor: Receive.Acknowledge.descriptor,
        Store.ListInbox.descriptor: Receive.ListInbox.descriptor,
        Store.GetHead.descriptor: Receive.GetHead.descriptor,
        Store.Read.descriptor: Receive.Read.descriptor,
        Store.GetStoreInfo.descriptor: Receive.GetStoreInfo.descriptor,
    ])

    private typealias Store = Wire.StoreService.Method
    private typealias Send = Wire.SendService.Method
    private typealias Receive = Wire.RecvService.Method

    /// Who answers calls of a method; itself where nothing else is said.
    func target(of method: MethodDescriptor) -> MethodDescriptor { targets[method] ?? method }
}

/// A transport that calls methods of one service where methods of another are asked for.
struct RoutedTransport: ClientTransport {
    typealias Bytes = HTTP2ClientTransport.Posix.Bytes

    let base: HTTP2ClientTransport.Posix
    let routes: ServiceRoutes

    var retryThrottle: RetryThrottle? { base.retryThrottle }

    func connect() async throws { try await base.connect() }

    func beginGracefulShutdown() { base.beginGracefulShutdown() }

    func withStream<Value: Sendable>(
        descriptor: MethodDescriptor, options: CallOptions,
        _ closure: (RPCStream<Inbound, Outbound>, ClientContext) async throws -> Value
    ) async throws -> Value {
        try await base.withStream(
            descriptor: routes.target(of: descriptor), options: options, closure)
    }

    func config(forMethod descriptor: MethodDescriptor) -> MethodConfig? {
        base.config(forMethod: routes.target(of: descriptor))
    }
}
