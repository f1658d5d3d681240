package import GRPCCore
internal import GRPCNIOTransportHTTP2
internal import ServiceLifecycle

/// Where a server takes connections.
public enum ListeningAddress: Hashable, Sendable, CustomStringConvertible {
    /// A TCP address and port.
    case tcp(host: String, port: Int)
    /// A Unix socket.
    case unix(path: String)

    /// `host:port`, or `unix:path`.
    public var description: String {
        switch self {
        case .tcp(let host, let port):
            host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
        case .unix(let path): "unix:\(path)"
        }
    }
}

/// Services, served at every address of a configuration.
package final class HostedServer: Sendable {
    private let connectionLimit: ConnectionLimit
    private let servers: [GRPCServer<HTTP2ServerTransport.Posix>]
    private let lifecycle: ServerLifecycle
    /// Why nothing is bound.
    private let refusal: SocketPath.InUse?

    /// - Parameters:
    ///   - services: what is served. What they are is told by reflection, beside them.
    ///   - configuration: addresses and limits. Nothing is bound yet.
    ///   - lifecycle: what refuses calls once the server drains.
    package init(
        _ services: [any RegistrableRPCService], configuration: HostConfiguration,
        lifecycle: ServerLifecycle
    ) {
        let connectionLimit = ConnectionLimit(maximum: configuration.connectionsMaximum)
        self.connectionLimit = connectionLimit
        self.lifecycle = lifecycle
        refusal = configuration.socketPath.flatMap { SocketPath.refusal(of: $0) }
        let reflection = ReflectionService(of: services)
        servers = configuration.makeTransports(connectionLimit).map {
            GRPCServer(transport: $0, services: services + [reflection])
        }
    }

    /// Connections now.
    package var connections: Int { connectionLimit.current }

    /// Serves until a graceful shutdown is done, or the task is cancelled.
    ///
    /// - Throws: what kept an address from being bound.
    package func run() async throws {
        if let refusal { throw refusal }
        try await withGracefulShutdownHandler {
            try await withThrowingTaskGroup(of: Void.self) { group in
                for server in servers { group.addTask { try await server.serve() } }
                while try await group.next() != nil {}
            }
        } onGracefulShutdown: {
            self.beginDraining()
        }
    }

    /// Takes no new calls, and ends when those under way are done.
    package func beginDraining() {
        lifecycle.beginDraining()
        for server in servers { server.beginGracefulShutdown() }
    }

    /// Where the server takes connections; waits until all addresses are bound.
    ///
    /// - Throws: when one could not be bound; `run` says why.
    package var addresses: [ListeningAddress] {
        get async throws {
            // Who waits for addresses would wait for ever: no server is there to tell them.
            if let refusal { throw refusal }
            var addresses: [ListeningAddress] = []
            for server in servers {
                let address = try await server.transport.listeningAddress
                if let ipv4 = address.ipv4 {
                    addresses.append(.tcp(host: ipv4.host, port: ipv4.port))
                } else if let ipv6 = address.ipv6 {
                    addresses.append(.tcp(host: ipv6.host, port: ipv6.port))
                } else if let unix = address.unixDomainSocket {
                    addresses.append(.unix(path: unix.path))
                }
            }
            return addresses
        }
    }
}
