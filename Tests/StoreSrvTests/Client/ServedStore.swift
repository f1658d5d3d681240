import Foundation
import Logging
import Mailbox
import MailboxTesting
import Metrics
import ServiceHost
import StoreAPI
import StoreEngine
import StoreSrv

/// A store behind a server on a Unix socket, which can be stopped, and started again in its place.
///
/// Clients reach it through a proxy: to cut connections is the proxy's part. A server whose task is
/// cancelled while it takes a connection ends the process (NIO's check of its own use).
actor ServedStore {
    /// Where clients find it, whatever store is behind it.
    nonisolated let socketPath: String
    nonisolated let proxy: CuttingProxy
    private let serverPath: String
    private let path: String
    private let configuration: StoreConfiguration
    private let activity = StoreActivity(metrics: NOOPMetricsHandler.instance)
    private(set) var store: MailboxStore
    private var place: String
    private var server: (server: StoreServer, running: Task<Void, any Error>)?
    private var restored = 0

    /// - Parameter range: the bytes after which each connection is cut; nil cuts none.
    init(
        _ configuration: StoreConfiguration, seed: UInt64 = 0,
        cutAfter range: ClosedRange<Int>? = nil
    ) throws {
        let isInMemory = FileManager.default.isWritableFile(atPath: "/dev/shm")
        // Short: the path of a socket has at most 107 bytes.
        path = "\(isInMemory ? "/dev/shm" : NSTemporaryDirectory())/served-\(UUID().uuidString)"
        socketPath = "\(path)/socket"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        var configuration = configuration
        configuration.observer = activity
        self.configuration = configuration
        place = "\(path)/store"
        store = try MailboxStore.open(at: place, configuration: configuration)
        serverPath = "\(path)/server"
        proxy = try CuttingProxy(
            path: socketPath, serverPath: serverPath, seed: seed, cutAfter: range)
    }

    /// Takes calls.
    func start() async throws {
        var serving = StoreServerConfiguration()
        serving.endpoint = nil
        serving.socketPath = serverPath
        // Clients of tests may ask for signs of life as often as they like.
        serving.pingIntervalMinimum = .zero
        try? FileManager.default.removeItem(atPath: serverPath)
        let server = try StoreServer(
            store: store, activity: activity, configuration: serving,
            metrics: NOOPMetricsHandler.instance,
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
        self.server = (server, Task { try await server.run() })
        _ = try await server.addresses
        proxy.unblock()
    }

    /// Takes no more calls. `atOnce` cuts all connections, whatever is under way.
    func stop(atOnce: Bool) async {
        guard let server else { return }
        self.server = nil
        if atOnce { proxy.block() }
        server.server.beginDraining()
        _ = await server.running.result
    }

    /// Stops, closes the store, opens it again, and starts.
    func restart(asCrash: Bool) async throws {
        await stop(atOnce: asCrash)
        if asCrash { store.abandon() } else { try store.close() }
        store = try MailboxStore.open(at: place, configuration: configuration)
        try await start()
    }

    /// Puts a store in the place of this one that is restored from a backup of it.
    func restore(from backup: String) async throws {
        await stop(atOnce: true)
        store.abandon()
        restored += 1
        place = "\(path)/restored-\(restored)"
        _ = try MailboxStore.restore(from: backup, to: place, configuration: configuration)
        store = try MailboxStore.open(at: place, configuration: configuration)
        try await start()
    }

    /// A path beside the store that is not taken.
    nonisolated func freshPath() -> String { "\(path)/\(UUID().uuidString)" }

    /// Stops, and clears away.
    func remove() async {
        await stop(atOnce: true)
        proxy.close()
        store.abandon()
        try? FileManager.default.removeItem(atPath: path)
    }
}

/// A client with a task that keeps it connected; quick to connect again.
struct RunningClient: Sendable {
    let client: StoreClient
    let running: Task<Void, any Error>

    init(
        socketPath: String, _ change: (inout StoreClientConfiguration) -> Void = { _ in }
    ) throws {
        var configuration = StoreClientConfiguration(.unixSocket(path: socketPath))
        configuration.backoffInitial = .milliseconds(5)
        configuration.backoffMaximum = .milliseconds(50)
        // Tests run beside each other on whatever machine there is: how long it takes to be served
        // says nothing about the client.
        configuration.connectTimeout = .seconds(120)
        configuration.callTimeout = .seconds(240)
        change(&configuration)
        let client = try StoreClient(configuration)
        self.client = client
        running = Task { try await client.run() }
    }

    func end() async {
        client.close()
        _ = await running.result
    }
}

extension StoreConfiguration {
    /// The limits that the suite was made for, as small as they may be.
    static func served(clock: ManualClock) -> StoreConfiguration {
        var configuration = StoreConfiguration()
        configuration.messageBytesMaximum = 20_000
        configuration.batchMessagesMaximum = 500
        configuration.pageMessagesMaximum = 100
        configuration.pageBytesMaximum = 64 << 10
        configuration.checkpointIntervalMilliseconds = 50
        configuration.journalSegmentBytes = 256 << 10
        configuration.checkpointJournalBytes = 256 << 10
        configuration.mapBytesInitial = 1 << 20
        configuration.mapBytesMaximum = 256 << 20
        configuration.watchBacklogMaximum = 4
        configuration.clock = TestClock(clock: clock)
        return configuration
    }
}

/// The manual clock as an engine reads it.
private struct TestClock: MillisecondClock {
    let clock: ManualClock
    func now() -> Int64 { clock.now() }
}
