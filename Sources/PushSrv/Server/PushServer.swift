internal import GRPCCore
public import Logging
internal import Mailbox
public import ServiceHost
public import ServiceLifecycle
internal import StoreAPI

/// PushSrv, served over gRPC. The hub runs beside it.
///
/// On a graceful shutdown, no new calls are taken, and attachments end: their instances attach
/// elsewhere, or here again when there is somebody.
public final class PushServer: Service {
    private let core: PushCore
    private let hosted: HostedServer

    /// - Parameters:
    ///   - hub: does the work.
    ///   - configuration: addresses and limits.
    ///   - activity: counts.
    ///   - logger: says what goes wrong; never bodies or tokens.
    public init(
        hub: PushHub, configuration: HostConfiguration, activity: PushActivity, logger: Logger
    ) {
        let core = PushCore(
            hub: hub, configuration: configuration, lifecycle: ServerLifecycle(),
            activity: activity, logger: logger)
        self.core = core
        let health = HealthService(
            services: [Wire.PushService.descriptor.fullyQualifiedService]
        ) { !core.lifecycle.isDraining }
        hosted = HostedServer(
            [PushService(core: core), health], configuration: configuration,
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

/// What the calls of PushSrv share.
struct PushCore: CallHost {
    let hub: PushHub
    let configuration: HostConfiguration
    let lifecycle: ServerLifecycle
    let activity: PushActivity
    let logger: Logger

    var requestBytesMaximum: Int { configuration.requestBytesMaximum }

    func refused(_ code: StoreError.Code) { activity.refused(code.description) }
}
