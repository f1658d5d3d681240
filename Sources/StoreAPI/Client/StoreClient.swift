internal import GRPCCore
internal import GRPCNIOTransportHTTP2
public import Mailbox
internal import Synchronization

/// A store behind a network: every verb of the contract, over one gRPC connection.
///
/// Appends and fetches of all tasks share frames: whatever waits while frames are on their way goes
/// into the next one. The connection is made again when it is lost, with waits that grow and are
/// drawn at random; calls wait for it up to their time.
///
/// **What a lost connection does to an append.** With a producer it is sent again, in front of
/// everything newer, and its answer tells the truth: stored, or a duplicate of itself. Without one
/// it fails with `unknown` when it was on its way, because it may be stored once or not at all; it
/// is never sent twice. What was not sent yet goes with the next connection, or fails with
/// `unavailable` when there is none in time.
///
/// **Cancellation.** A task that is cancelled while it waits for an append hears `unknown` when the
/// append was on its way, `unavailable` when it was not: nothing tells the server to forget it.
///
/// ```swift
/// try await withStoreClient(StoreClientConfiguration(.tcp(host: "::1", port: 7600))) { client in
///     try await client.append(Append(mailbox, text: "hello"))
/// }
/// ```
public final class StoreClient: MailboxStorage, Sendable {
    typealias Transport = RoutedTransport

    /// Where the server is, and how patient the client is with it.
    public let configuration: StoreClientConfiguration
    let grpc: GRPCClient<Transport>
    let appends: FrameLine<Append>
    let fetches: FrameLine<FetchCall>
    let lifecycle = Mutex(Lifecycle())

    /// Where the client is in its life, and what it knows of the server.
    struct Lifecycle {
        enum Phase { case new, running, closed }
        var phase = Phase.new
        var hasRun = false
        /// What the server said when the newest stream was opened.
        var info: StoreInfo?
        /// True when the last call was answered.
        var isReachable = false
        /// Streams that are open. While one is, the server behind it is the one of `info`.
        var openStreams = 0
        /// Watches under way, to be ended when the client is closed.
        var watches: [ObjectIdentifier: WatchRelay] = [:]
        /// Resumed when the client is closed.
        var closing: CheckedContinuation<Void, Never>?
    }

    /// A client that connects when `run` is called.
    ///
    /// - Throws: `invalidArgument` when the target or the TLS files are none.
    public convenience init(_ configuration: StoreClientConfiguration) throws(StoreError) {
        try self.init(configuration, routes: .store)
    }

    /// - Parameter routes: which service answers.
    init(_ configuration: StoreClientConfiguration, routes: ServiceRoutes) throws(StoreError) {
        self.configuration = configuration
        appends = FrameLine(configuration)
        fetches = FrameLine(configuration)
        do {
            let transport = try Self.transport(configuration)
            grpc = GRPCClient(transport: RoutedTransport(base: transport, routes: routes))
        } catch {
            throw StoreError(
                code: .invalidArgument,
                message: "no connection to \(configuration.target) can be made", cause: error)
        }
    }

    static let closedError = StoreError(code: .closed, message: "the client was closed")

    /// Keeps the connection until `close` is called, or the task is cancelled; once.
    ///
    /// Calls made before wait for it. After `close`, calls that wait are still answered, or their
    /// time ends; then this returns. When the task is cancelled, they are answered at once.
    public func run() async throws {
        let isFirst = lifecycle.withLock { lifecycle in
            defer {
                lifecycle.hasRun = true
                if lifecycle.phase == .new { lifecycle.phase = .running }
            }
            return !lifecycle.hasRun
        }
        guard isFirst else {
            throw StoreError(code: .invalidArgument, message: "a client runs once")
        }
        defer {
            close()
            appends.end()
            fetches.end()
        }
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask { try await self.grpc.runConnections() }
            group.addTask { await self.expireCalls() }
            await withTaskGroup(of: Void.self) { streams in
                streams.addTask { await self.keepAppendStream() }
                streams.addTask { await self.keepFetchStream() }
                streams.addTask { await self.waitForClose() }
                await self.appends.waitForLastEnd()
                await self.fetches.waitForLastEnd()
                // Before the streams are waited for: a call that was cancelled just before it
                // queued for a connection waits there until there is one, or until this.
                grpc.beginGracefulShutdown()
            }
            // Who listens and never answers would be waited for as long as it listens: only a
            // server that answered has calls under way.
            if isReachable { try await group.next() }
            group.cancelAll()
        }
    }

    /// Takes no more calls, and lets `run` return when those that wait are answered. Watches end at
    /// once. Harmless when repeated.
    public func close() {
        let (watches, closing) = lifecycle.withLock { lifecycle in
            defer {
                lifecycle.phase = .closed
                lifecycle.watches = [:]
                lifecycle.closing = nil
            }
            return (lifecycle.watches, lifecycle.closing)
        }
        closing?.resume()
        for watch in watches.values { watch.end(.failure(Self.closedError)) }
        appends.close()
        fetches.close()
    }

    /// - Throws: `closed`.
    func checkOpen() throws(StoreError) {
        guard lifecycle.withLock({ $0.phase != .closed }) else { throw Self.closedError }
    }

    private func waitForClose() async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isOver = lifecycle.withLock { lifecycle in
                    if lifecycle.phase == .closed || Task.isCancelled { return true }
                    lifecycle.closing = continuation
                    return false
                }
                if isOver { continuation.resume() }
            }
        } onCancel: {
            close()
        }
    }

    /// Ends the calls whose time is over, looking often enough that none waits much longer.
    private func expireCalls() async {
        let shortest = min(configuration.connectTimeout, configuration.callTimeout)
        let interval = min(max(shortest / 20, .milliseconds(5)), .milliseconds(500))
        while (try? await Task.sleep(for: interval)) != nil {
            appends.expire()
            fetches.expire()
        }
    }
}

/// Runs a client for as long as a piece of work takes.
///
/// - Parameter body: uses the client; when it returns, the client is closed.
/// - Throws: `invalidArgument` when the target is none, and what `body` throws.
public func withStoreClient<Value: Sendable>(
    _ configuration: StoreClientConfiguration,
    _ body: @Sendable (StoreClient) async throws -> Value
) async throws -> Value {
    let client = try StoreClient(configuration)
    return try await withThrowingTaskGroup(of: Void.self) { group in
        group.addTask { try await client.run() }
        let result: Result<Value, any Error>
        do {
            result = .success(try await body(client))
        } catch {
            result = .failure(error)
        }
        client.close()
        try await group.waitForAll()
        return try result.get()
    }
}
