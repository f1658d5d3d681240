/// Where a service takes its calls, and what a client may cost it. Every limit has a default that
/// suits a small server.
public struct HostConfiguration: Sendable {
    /// Where TCP connections are taken.
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
    }

    /// A server's certificate, and whether clients need one.
    public struct TLS: Hashable, Sendable {
        /// The certificate's file (PEM), with the intermediate ones behind it.
        public var certificatePath: String
        /// Its private key's file (PEM).
        public var keyPath: String
        /// With it, only clients with a certificate of one of these authorities (PEM) are served;
        /// without it, every client is.
        public var clientAuthorityPath: String?

        /// A server's certificate.
        public init(certificatePath: String, keyPath: String, clientAuthorityPath: String? = nil) {
            self.certificatePath = certificatePath
            self.keyPath = keyPath
            self.clientAuthorityPath = clientAuthorityPath
        }
    }

    /// Where TCP connections are taken; nil takes none.
    public var endpoint: Endpoint? = Endpoint(host: "127.0.0.1", port: 7180)
    /// The path of a Unix socket, where connections are taken without TLS; nil takes none.
    public var socketPath: String?
    /// TLS for TCP connections; nil serves plain text.
    public var tls: TLS?

    /// The most bytes of one request, or of one frame of a stream.
    public var requestBytesMaximum = 8 << 20
    /// The most connections at once, over all addresses.
    public var connectionsMaximum = 4_096
    /// The most calls at once on one connection.
    public var streamsPerConnectionMaximum = 128
    /// Appends of one stream that wait for their answers to be written, in bytes; above it, the
    /// stream's next frame is not read. A larger frame passes alone.
    public var streamBytesMaximum = 8 << 20

    /// A connection without a call is closed after this time.
    public var connectionIdleMaximum: Duration? = .seconds(1_800)
    /// A connection is closed at this age, to let clients spread anew; nil keeps it.
    public var connectionAgeMaximum: Duration?
    /// How long the calls of a connection that is closed for its age may go on.
    public var connectionGraceMaximum: Duration? = .seconds(60)
    /// A connection that is quiet for so long is asked for a sign of life.
    public var keepaliveInterval: Duration = .seconds(30)
    /// Without a sign of life after so long, it is closed.
    public var keepaliveTimeout: Duration = .seconds(10)
    /// A client that asks for signs of life more often than this is cut off.
    public var pingIntervalMinimum: Duration = .seconds(10)

    /// The version that `GetStoreInfo` answers.
    public var version = "0.0.0"

    /// All defaults.
    public init() {}
}
