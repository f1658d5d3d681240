public import Logging

/// Where a store's server is, and how patient its client is with it.
public struct StoreClientConfiguration: Sendable {
    /// Where the server listens.
    public enum Target: Hashable, Sendable, CustomStringConvertible {
        /// A host name or an address, and a TCP port.
        case tcp(host: String, port: Int)
        /// Several IPv4 addresses of servers that are as good as one another: calls are shared
        /// among those that answer. At least one.
        case anyOf([Endpoint])
        /// The path of a Unix socket.
        case unixSocket(path: String)

        /// An IPv4 address and a TCP port.
        public struct Endpoint: Hashable, Sendable {
            /// Four numbers with dots between.
            public var host: String
            /// The port.
            public var port: Int

            /// An address and a port.
            public init(host: String, port: Int) {
                self.host = host
                self.port = port
            }
        }

        /// `host:port`, one behind the other, or `unix:path`.
        public var description: String {
            switch self {
            case .tcp(let host, let port):
                host.contains(":") ? "[\(host)]:\(port)" : "\(host):\(port)"
            case .anyOf(let addresses):
                addresses.map { "\($0.host):\($0.port)" }.joined(separator: ",")
            case .unixSocket(let path): "unix:\(path)"
            }
        }
    }

    /// How the connection is encrypted.
    public struct TLS: Hashable, Sendable {
        /// A PEM file with the certificates to trust; nil takes those of the system.
        public var trustedCertificatesPath: String?
        /// A PEM file with this client's certificate chain, for servers that ask for one.
        public var certificateChainPath: String?
        /// A PEM file with the certificate's key.
        public var privateKeyPath: String?
        /// The name that the server's certificate must have, where it does not have the address
        /// that is connected to; nil takes the target's host.
        public var serverName: String?

        /// Trusts what the system trusts.
        public init() {}
    }

    /// Where the server listens.
    public var target: Target
    /// How the connection is encrypted; nil leaves it in clear text.
    public var tls: TLS?
    /// How long a call waits for a connection when there is none.
    public var connectTimeout = Duration.seconds(5)
    /// How long a call waits for its answer, reconnects and resends included. Calls that take their
    /// time (compaction, checkpoint, verification, backup) have no limit.
    public var callTimeout = Duration.seconds(30)
    /// The longest wait before the second attempt to connect; it doubles with every further one.
    /// Each wait is drawn at random between nothing and that.
    public var backoffInitial = Duration.milliseconds(50)
    /// The longest wait between two attempts to connect.
    public var backoffMaximum = Duration.seconds(2)
    /// Frames that may be without an answer on each stream, 1 … 64.
    public var framesInFlight = 4
    /// The most messages or fetches in one frame, from 1.
    public var frameItemsMaximum = 4_096
    /// The most bytes in one frame of several messages.
    public var frameBytesMaximum = 1 << 20
    /// Bytes of appends that wait for their answers; above it an append gets `overloaded`.
    public var waitingBytesMaximum = 64 << 20
    /// The largest answer that is taken, in bytes.
    public var answerBytesMaximum = 64 << 20
    /// A connection that was silent for so long is asked whether it is still there.
    public var keepaliveInterval = Duration.seconds(20)
    /// How long it may take to answer that.
    public var keepaliveTimeout = Duration.seconds(10)
    /// What is told of connections that come and go.
    public var logger = Logger(label: "mailbox.client") { _ in SwiftLogNoOpLogHandler() }

    /// All defaults.
    public init(_ target: Target) {
        self.target = target
    }
}
