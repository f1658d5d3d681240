internal import GRPCCore
public import Logging
internal import Mailbox
public import ServiceHost
public import ServiceLifecycle
public import StoreAPI

/// RecvSrv, served over gRPC. Stateless: every call is one of the store's.
///
/// On a graceful shutdown, no new calls are taken; those under way are finished, and streams end.
public final class RecvServer: Service {
    private let core: RecvCore
    private let hosted: HostedServer

    /// - Parameters:
    ///   - receiver: does the work.
    ///   - info: what the store says of itself.
    ///   - configuration: addresses and limits.
    ///   - activity: counts.
    ///   - logger: says what goes wrong; never what messages hold.
    public init(
        receiver: any MessageReceiving, info: @escaping @Sendable () async throws -> StoreInfo,
        configuration: HostConfiguration, activity: RecvActivity, logger: Logger
    ) {
        let core = RecvCore(
            receiver: receiver, info: info, configuration: configuration,
            lifecycle: ServerLifecycle(), activity: activity, logger: logger)
        self.core = core
        let health = HealthService(
            services: [Wire.RecvService.descriptor.fullyQualifiedService]
        ) { !core.lifecycle.isDraining }
        hosted = HostedServer(
            [RecvService(core: core), health], configuration: configuration,
            lifecycle: core.lifecycle)
    }

    /// Serves until a graceful shutdown is done, or the task is cancelled.
    ///
    /// - Throws: what kept an address from being bound.
    public func run() async throws { try await hosted.run() }

    /// Takes no new calls, and ends when those under way are done.
    public func beginDraining() { hosted.beginDraining() }

    /// Where the server takes connections; waits until all addresses are bound.
    ///
    /// - Throws: when one could not be bound; `run` says why.
    public var addresses: [ListeningAddress] {
        get async throws { try await hosted.addresses }
    }

    /// Whether calls are taken.
    public var isReady: Bool { !core.lifecycle.isDraining }
}

/// What the calls of RecvSrv share.
struct RecvCore: CallHost {
    let receiver: any MessageReceiving
    let info: @Sendable () async throws -> StoreInfo
    let configuration: HostConfiguration
    let lifecycle: ServerLifecycle
    let activity: RecvActivity
    let logger: Logger

    var requestBytesMaximum: Int { configuration.requestBytesMaximum }

    func refused(_ code: StoreError.Code) { activity.refused(code) }
}
