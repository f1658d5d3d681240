import Foundation
import NIOSSL

@testable import ConnectSrv

/// A certificate for `localhost` and its key: they protect nothing, and only these tests know them.
/// Valid until 2126, signed by itself.
struct TestCertificate {
    private static let certificate = """
        -----BEGIN CERTIFICATE-----
        MIIBnDCCAUGgAwIBAgIUEBwqCooqVbbhq4RrKS6hTlpgeE0wCgYIKoZIzj0EAwIw
        FDESMBAGA1UEAwwJbG9jYWxob3N0MCAXDTI2MTEyNzAxMjc1NFoYDzIxMjYxMTAz
        MDEyNzU0WjAUMRIwEAYDVQQDDAlsb2NhbGhvc3QwWTATBgcqhkjOPQIBBggqhkjO
        PQMBBwNCAATK5Wr0GPKtSAdz3QJ+aTPvWnSiZQKOvsm/0IXPOSPSLVm/mYJjCObe
        EO7jfoWDkdspBIh5QlxabFKZZvtz2HnGo28wbTAdBgNVHQ4EFgQU7I5GSRDxcy2l
        vTV4Q3Cx0kGbIB4wHwYDVR0jBBgwFoAU7I5GSRDxcy2lvTV4Q3Cx0kGbIB4wDwYD
        VR0TAQH/BAUwAwEB/zAaBgNVHREEEzARgglsb2NhbGhvc3SHBH8AAAEwCgYIKoZI
        zj0EAwIDSQAwRgIhAMPkxTt2h6hUsd2dWYUGNX5hDOtfqtckrAAgJCJJJ479AiEA
        /KRTOfMyZ+KnHFZi9MvVw/asBWU51C6izsNZQRerGM8=
        -----END CERTIFICATE-----
        """

    private static let key = """
        -----BEGIN PRIVATE KEY-----
        MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQg+LO6OCqNbPCsDBXS
        DHbLhNbaQdB4aFjX1ZjqRtRZkyShRANCAATK5Wr0GPKtSAdz3QJ+aTPvWnSiZQKO
        vsm/0IXPOSPSLVm/mYJjCObeEO7jfoWDkdspBIh5QlxabFKZZvtz2HnG
        -----END PRIVATE KEY-----
        """

    private let directory: TestDirectory
    /// What the server shows.
    var tls: ConnectServerConfiguration.TLS {
        .init(certificatePath: directory.file("cert.pem"), keyPath: directory.file("key.pem"))
    }

    /// Writes both into a directory.
    init(in directory: TestDirectory) throws {
        self.directory = directory
        try directory.write(Self.certificate, to: "cert.pem")
        try directory.write(Self.key, to: "key.pem")
    }

    /// A client that trusts it.
    static func client() throws -> NIOSSLContext {
        var configuration = TLSConfiguration.makeClientConfiguration()
        let root = try NIOSSLCertificate(bytes: Array(certificate.utf8), format: .pem)
        configuration.trustRoots = .certificates([root])
        return try NIOSSLContext(configuration: configuration)
    }

    /// A client that trusts what the system does.
    static func stranger() throws -> NIOSSLContext {
        try NIOSSLContext(configuration: .makeClientConfiguration())
    }
}

/// A directory for one test, removed when the test is done with it.
final class TestDirectory: Sendable {
    private let path: String

    init() throws {
        path = "\(NSTemporaryDirectory())/connect-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    @discardableResult
    func write(_ text: String, to name: String) throws -> String {
        try Data(text.utf8).write(to: URL(filePath: file(name)))
        return file(name)
    }
}
