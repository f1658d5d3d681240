internal import Logging
internal import NIOCore

/// What all connections of a server share.
struct ConnectCore: Sendable {
    let configuration: ConnectServerConfiguration
    let tokens: TokenVerifier
    let demo: DemoTokens?
    let router: RequestRouter
    let registry: SessionRegistry
    let accounts: TrafficTable<String>
    let addresses: TrafficTable<PeerAddress>
    let metrics: ConnectMetrics
    let logger: Logger

    var limits: ConnectLimits { configuration.limits }

    /// Milliseconds of a clock that only goes forward.
    static func now() -> Int64 {
        Int64(clamping: NIODeadline.now().uptimeNanoseconds / 1_000_000)
    }
}

/// To every channel: the server is about to end.
struct DrainEvent: Sendable {}
