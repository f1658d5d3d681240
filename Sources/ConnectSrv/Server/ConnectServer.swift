internal import Foundation
public import Logging
internal import Mailbox
public import Metrics
internal import NIOCore
internal import NIOPosix
internal import NIOSSL
public import ServiceLifecycle
public import StoreAPI
internal import Synchronization

/// Devices, served over WebSockets.
///
/// ```swift
/// let server = try ConnectServer(
///     configuration: configuration, tokens: try await TokenVerifier(keys: keys),
///     sender: sender, receiver: receiver, pushes: pushes, metrics: metrics, logger: logger)
/// try await server.run()  // until a graceful shutdown, or until the task is cancelled
/// ```
/// On a graceful shutdown no connection is taken any more, every device hears when to connect
/// again, and answers that are under way are finished. The services behind are the caller's: they
/// must outlast `run`.
public final class ConnectServer: Service {
    private let core: ConnectCore
    private let channels: ChannelTable
    private let pushes: any PushAttaching
    private let tls: NIOSSLContext?
    private let ending: (stream: AsyncStream<Void>, continuation: AsyncStream<Void>.Continuation)
    private let listening: ListeningAddress
    private let isEnding = Atomic<Bool>(false)

    /// - Parameters:
    ///   - configuration: the address and limits.
    ///   - tokens: says who a device is.
    ///   - demo: mints tokens for names, on loopback only; its key must be one of `tokens`.
    ///   - sender: where messages go.
    ///   - receiver: where messages come from.
    ///   - pushes: who hears who is online, and brings new messages.
    ///   - metrics: where the metrics go.
    ///   - logger: says what goes wrong; never what messages and tokens hold.
    /// - Throws: `ConnectServerError` when the certificate cannot be used, or a demonstration is to
    ///   be served to other machines.
    public init(
        configuration: ConnectServerConfiguration = ConnectServerConfiguration(),
        tokens: TokenVerifier, demo: DemoTokens? = nil, sender: any MessageSending,
        receiver: any MessageReceiving, pushes: any PushAttaching,
        metrics factory: any MetricsFactory, logger: Logger
    ) throws(ConnectServerError) {
        guard demo == nil || configuration.endpoint.isLoopback else {
            throw ConnectServerError(
                "tokens for anybody are minted on loopback only, not on "
                    + configuration.endpoint.host)
        }
        tls = try configuration.tls.map { tls throws(ConnectServerError) in
            try Self.context(tls)
        }
        let metrics = ConnectMetrics(factory)
        let limits = configuration.limits
        let registry = SessionRegistry(metrics: metrics)
        core = ConnectCore(
            configuration: configuration, tokens: tokens, demo: demo,
            router: RequestRouter(
                sender: sender, receiver: receiver, pushes: pushes, limits: limits,
                metrics: metrics, admits: configuration.admits),
            registry: registry,
            accounts: TrafficTable(
                limits.accountTraffic, connectionsMaximum: limits.connectionsPerAccountMaximum),
            addresses: TrafficTable(
                limits.addressTraffic, connectionsMaximum: limits.connectionsPerAddressMaximum),
            metrics: metrics, logger: logger)
        channels = ChannelTable(maximum: limits.connectionsMaximum)
        self.pushes = pushes
        ending = AsyncStream.makeStream(of: Void.self)
        listening = ListeningAddress()
    }

    /// Serves until a graceful shutdown is done, or the task is cancelled. Once.
    ///
    /// - Throws: what kept the address from being bound.
    public func run() async throws {
        let listener = try await bind()
        let registry = core.registry
        let attachment = pushes.attach(core.configuration.instance) { registry.deliver($0) }
        registry.attach(attachment)
        core.logger.info(
            "devices are served",
            metadata: ["address": "\(listener.localAddress.map { "\($0)" } ?? "")"])
        await withGracefulShutdownHandler {
            for await _ in ending.stream { break }
        } onGracefulShutdown: {
            self.beginDraining()
        }
        // Also when cancelled: the listener is closed before the connections are counted.
        beginDraining()
        try? await listener.close()
        channels.drain()
        if Task.isCancelled { channels.cut() }
        await channels.untilEmpty()
        registry.attach(nil)
        attachment.detach()
        core.logger.info("devices are served no more")
    }

    /// Takes no new connections, tells the devices, and ends when their answers are written.
    public func beginDraining() {
        isEnding.store(true, ordering: .relaxed)
        ending.continuation.finish()
    }

    /// Where devices connect; waits until the address is bound.
    ///
    /// - Throws: when it could not be bound; `run` says why.
    public var address: ConnectServerConfiguration.Endpoint {
        get async throws { try await listening.value }
    }

    /// Whether connections are taken.
    public var isReady: Bool { !isEnding.load(ordering: .relaxed) && listening.isBound }

    /// Connections now, before and after their handshake.
    public var connectionCount: Int { channels.count }

    /// Devices that were welcomed, now.
    public var sessionCount: Int { core.registry.count }

    private func bind() async throws -> any Channel {
        let setup = ChannelSetup(core: core, channels: channels, tls: tls)
        let endpoint = core.configuration.endpoint
        do {
            let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
                .serverChannelOption(.backlog, value: 4_096)
                .serverChannelOption(.socketOption(.so_reuseaddr), value: 1)
                .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
                .childChannelInitializer { channel in
                    channel.eventLoop.makeCompletedFuture { try setup.initialize(channel) }
                }
                .bind(host: endpoint.host, port: endpoint.port).get()
            listening.succeed(
                .init(
                    host: listener.localAddress?.ipAddress ?? endpoint.host,
                    port: listener.localAddress?.port ?? endpoint.port))
            return listener
        } catch {
            listening.fail(error)
            throw error
        }
    }

    private static func context(
        _ tls: ConnectServerConfiguration.TLS
    ) throws(ConnectServerError) -> NIOSSLContext {
        do {
            let chain = try NIOSSLCertificate.fromPEMFile(tls.certificatePath)
            let key = try NIOSSLPrivateKey(file: tls.keyPath, format: .pem)
            var configuration = TLSConfiguration.makeServerConfiguration(
                certificateChain: chain.map { .certificate($0) }, privateKey: .privateKey(key))
            configuration.minimumTLSVersion = .tlsv12
            // The handshake of a WebSocket is one of HTTP/1.1.
            configuration.applicationProtocols = ["http/1.1"]
            return try NIOSSLContext(configuration: configuration)
        } catch {
            throw ConnectServerError(
                "the certificate \(tls.certificatePath) or its key cannot be used: \(error)")
        }
    }
}

/// Why a server cannot be made.
public struct ConnectServerError: Error, CustomStringConvertible {
    /// What is wrong, and what to do.
    public let description: String

    init(_ description: String) { self.description = description }
}

/// The address that a server listens on, once it does.
private final class ListeningAddress: Sendable {
    typealias Endpoint = ConnectServerConfiguration.Endpoint

    private struct State {
        var result: Result<Endpoint, any Error>?
        var waiters: [CheckedContinuation<Endpoint, any Error>] = []
    }

    private let state = Mutex(State())

    var isBound: Bool {
        state.withLock { state in
            if case .success = state.result { true } else { false }
        }
    }

    var value: Endpoint {
        get async throws {
            try await withCheckedThrowingContinuation { continuation in
                let result = state.withLock { state in
                    if state.result == nil { state.waiters.append(continuation) }
                    return state.result
                }
                if let result { continuation.resume(with: result) }
            }
        }
    }

    func succeed(_ endpoint: Endpoint) { settle(.success(endpoint)) }

    func fail(_ error: any Error) { settle(.failure(error)) }

    private func settle(_ result: Result<Endpoint, any Error>) {
        let waiters = state.withLock { state in
            state.result = result
            defer { state.waiters = [] }
            return state.waiters
        }
        for waiter in waiters { waiter.resume(with: result) }
    }
}
