public import Mailbox

/// How devices are served. Every limit has a default that suits a small server.
public struct ConnectServerConfiguration: Sendable {
    /// Where connections are taken.
    public struct Endpoint: Hashable, Sendable {
        /// An IPv4 or IPv6 address.
        public var host: String
        /// 0 takes any that is free.
        public var port: Int

        /// An address and a port.
        public init(host: String, port: Int) {
            self.host = host
            self.port = port
        }

        /// Whether only this machine reaches it.
        public var isLoopback: Bool {
            // A name may begin with digits, too, and be anybody's.
            host == "::1" || host == "localhost"
                || (host.hasPrefix("127.") && host.allSatisfy { $0.isNumber || $0 == "." })
        }
    }

    /// The server's certificate.
    public struct TLS: Hashable, Sendable {
        /// The certificate's file (PEM), with the intermediate ones behind it.
        public var certificatePath: String
        /// Its private key's file (PEM).
        public var keyPath: String

        /// A server's certificate.
        public init(certificatePath: String, keyPath: String) {
            self.certificatePath = certificatePath
            self.keyPath = keyPath
        }
    }

    /// Where connections are taken.
    public var endpoint = Endpoint(host: "127.0.0.1", port: 7190)
    /// TLS; nil serves plain text, for a proxy in front or for this machine alone.
    public var tls: TLS?
    /// The instance's name in PushSrv, unique among all that run; drawn at random by default.
    public var instance = "connect-\(UInt64.random(in: 1...UInt64.max))"
    /// Whether the chat page is served at `/`.
    public var servesPage = true
    /// What one device, account or address may take.
    public var limits = ConnectLimits()
    /// Whether an account may write to another; nil: every account may write to every address, for
    /// mailboxes need no registration.
    ///
    /// Asked once for each message, resent ones too, on the connection's event loop: it must answer
    /// from memory, without waiting. What it turns down is refused with `FORBIDDEN`, before any
    /// service is asked.
    public var admits: (@Sendable (_ sender: Address, _ receiver: Address) -> Bool)?

    /// All defaults.
    public init() {}
}
