import ArgumentParser
import Mailbox
import StoreAPI

/// A daemon instead of a directory, and how it is spoken to.
struct ConnectionOptions: ParsableArguments {
    @Option(
        help: "Work on a daemon's store: HOST:PORT, [IPv6]:PORT or unix:PATH. No STORE then.",
        transform: DaemonAddress.init(_:))
    var connect: DaemonAddress?

    @Option(help: "How long a call waits for its answer, connecting included: 500ms … 1h.")
    var timeout: DurationArgument?

    @Flag(help: "Encrypt, and trust what the system trusts.")
    var tls = false

    @Option(help: "Encrypt, and trust these certificates (PEM).", completion: .file())
    var tlsAuthority: String?

    @Option(help: "This client's certificate chain (PEM). Needs --tls-key.", completion: .file())
    var tlsCertificate: String?

    @Option(help: "The certificate's key (PEM). Needs --tls-certificate.", completion: .file())
    var tlsKey: String?

    @Option(help: "The name that the daemon's certificate has, when it is not the host's.")
    var tlsName: String?

    private var isEncrypted: Bool {
        tls || tlsAuthority != nil || tlsCertificate != nil || tlsKey != nil || tlsName != nil
    }

    func validate() throws {
        if let timeout, !(500...3_600_000).contains(timeout.milliseconds) {
            throw ValidationError("--timeout must be 500ms to 1h.")
        }
        guard (tlsCertificate == nil) == (tlsKey == nil) else {
            throw ValidationError("--tls-certificate and --tls-key go together.")
        }
        guard isEncrypted || timeout != nil else { return }
        guard let connect else {
            throw ValidationError("--timeout and the options for TLS need --connect.")
        }
        if isEncrypted, case .unixSocket = connect.target {
            throw ValidationError("A Unix socket is served without TLS; leave its options out.")
        }
    }

    /// How to reach the daemon; nil without one.
    var configuration: StoreClientConfiguration? {
        guard let connect else { return nil }
        var configuration = StoreClientConfiguration(connect.target)
        if let timeout {
            configuration.callTimeout = .milliseconds(timeout.milliseconds)
            configuration.connectTimeout = min(
                configuration.connectTimeout, configuration.callTimeout)
        }
        guard isEncrypted else { return configuration }
        var encryption = StoreClientConfiguration.TLS()
        encryption.trustedCertificatesPath = tlsAuthority
        encryption.certificateChainPath = tlsCertificate
        encryption.privateKeyPath = tlsKey
        encryption.serverName = tlsName
        configuration.tls = encryption
        return configuration
    }
}
