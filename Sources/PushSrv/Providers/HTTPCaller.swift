internal import AsyncHTTPClient
internal import Foundation
internal import Mailbox
internal import NIOCore
internal import NIOHTTP1
internal import NIOSSL

/// HTTP calls to those who bring notifications: HTTP/2 where the other side speaks it, encrypted
/// where the address says so.
final class HTTPCaller: Sendable {
    /// What came back: a status, when to come again, and the beginning of the body.
    struct Answer: Sendable {
        var status: Int
        var retryAfter: Duration?
        var body: Data
    }

    private static let answerBytesMaximum = 64 << 10

    private let client: HTTPClient
    private let timeout: TimeAmount

    /// - Parameters:
    ///   - trustedCertificatesPath: certificates to trust in place of the system's (PEM).
    ///   - timeout: how long a call may take.
    /// - Throws: `invalidArgument` when the file is none.
    init(trustedCertificatesPath: String?, timeout: Duration) throws(StoreError) {
        var tls = TLSConfiguration.makeClientConfiguration()
        if let path = trustedCertificatesPath {
            guard let certificates = try? NIOSSLCertificate.fromPEMFile(path),
                !certificates.isEmpty
            else {
                throw .invalidArgument("\(path) has no certificates (PEM)")
            }
            tls.trustRoots = .certificates(certificates)
        }
        var configuration = HTTPClient.Configuration(
            tlsConfiguration: tls, redirectConfiguration: .disallow,
            timeout: .init(connect: .seconds(5)))
        configuration.httpVersion = .automatic
        client = HTTPClient(eventLoopGroupProvider: .singleton, configuration: configuration)
        let (seconds, attoseconds) = timeout.components
        self.timeout = .nanoseconds(seconds * 1_000_000_000 + attoseconds / 1_000_000_000)
    }

    /// Ends all connections.
    func close() async { try? await client.shutdown() }

    /// Posts a body.
    ///
    /// - Throws: when no answer came.
    func post(
        _ url: String, headers: [(String, String)], body: Data
    ) async throws -> Answer {
        var request = HTTPClientRequest(url: url)
        request.method = .POST
        for (name, value) in headers { request.headers.add(name: name, value: value) }
        request.body = .bytes(ByteBuffer(bytes: body))
        let response = try await client.execute(request, timeout: timeout)
        let bytes = try await response.body.collect(upTo: Self.answerBytesMaximum)
        let seconds = response.headers.first(name: "retry-after").flatMap { Int64($0) }
        return Answer(
            status: Int(response.status.code),
            retryAfter: seconds.map { .seconds(min(max($0, 1), 3_600)) },
            body: Data(bytes.readableBytesView))
    }
}

extension HTTPCaller {
    /// What kept a call from being answered, without its address, which may hold a token.
    static func reason(_ error: any Error) -> String {
        (error as? HTTPClientError)?.shortDescription ?? String(describing: type(of: error))
    }
}
