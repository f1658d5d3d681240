import Foundation
import Mailbox
import StoreAPI
import Testing

@Suite(
    "The daemon with TLS",
    .enabled(if: Certificates.canBeMade, "openssl is missing: no certificates can be made"))
struct TLSTests {
    private typealias TLS = StoreClientConfiguration.TLS

    private static func start(
        _ directory: TestDirectory, _ certificates: Certificates, _ more: [String] = []
    ) async throws -> Daemon {
        let daemon = try await Daemon.start(
            directory.file("store"),
            ["--tls-certificate", certificates.daemon, "--tls-key", certificates.daemonKey] + more)
        try #require(daemon.isReady, "\(daemon.readyLine)")
        return daemon
    }

    /// Trusts an authority, and shows a certificate when it is given one.
    private static func trusting(
        _ authority: String, name: String? = nil, certificate: String? = nil, key: String? = nil
    ) -> TLS {
        var tls = TLS()
        tls.trustedCertificatesPath = authority
        tls.serverName = name
        tls.certificateChainPath = certificate
        tls.privateKeyPath = key
        return tls
    }

    /// Appends a message, and fetches it.
    private static func use(_ daemon: Daemon, _ tls: TLS?) async throws {
        var configuration = daemon.target
        configuration.tls = tls
        let mailbox = try MailboxID(sender: "alice", receiver: UUID().uuidString)
        try await withStoreClient(configuration) { client in
            let result = try await client.append(Append(mailbox, text: "hello"))
            #expect(result.sequence == 1)
            let page = try await client.fetch(mailbox, cursor: .zero, limit: .standard)
            #expect(page.messages.map { Array($0.body) } == [Array("hello".utf8)])
        }
    }

    /// The code that an append and a fetch are refused with, on every path of the client alike.
    private static func refusal(_ daemon: Daemon, _ tls: TLS?) async throws -> StoreError.Code? {
        var configuration = daemon.target
        configuration.tls = tls
        configuration.connectTimeout = .seconds(1)
        configuration.callTimeout = .seconds(2)
        let mailbox = try MailboxID(sender: "mallory", receiver: "bob")
        return try await withStoreClient(configuration) { client in
            var codes: Set<StoreError.Code?> = []
            do throws(StoreError) {
                _ = try await client.append(Append(mailbox, text: "let me in"))
                codes.insert(nil)
            } catch {
                codes.insert(error.code)
            }
            do throws(StoreError) {
                _ = try await client.head(mailbox)
                codes.insert(nil)
            } catch {
                codes.insert(error.code)
            }
            try #require(codes.count == 1)
            return codes.first ?? nil
        }
    }

    @Test("Who trusts the daemon's authority is served, by address and by name")
    func served() async throws {
        let directory = try TestDirectory()
        let certificates = try Certificates()
        let daemon = try await Self.start(
            directory, certificates, ["--listen-socket", directory.file("socket")])
        try await Self.use(daemon, Self.trusting(certificates.authority))
        try await Self.use(daemon, Self.trusting(certificates.authority, name: "localhost"))
        // The Unix socket stays as it is.
        try await withStoreClient(
            StoreClientConfiguration(.unixSocket(path: directory.file("socket")))
        ) { client in
            let counts = try await client.statistics()
            #expect(counts.appendedMessages == 2)
        }
        #expect(try await daemon.stop().status == 0)
    }

    @Test("Without TLS, or with another authority: unavailable, and nothing is stored")
    func strangers() async throws {
        let directory = try TestDirectory()
        let certificates = try Certificates()
        let daemon = try await Self.start(directory, certificates)
        for tls in [nil, Self.trusting(certificates.stranger)] {
            let code = try await Self.refusal(daemon, tls)
            #expect(code == .unavailable, "\(tls == nil ? "without TLS" : "a stranger's")")
        }
        // Others are served all the while; and a client with TLS does not trust one without.
        try await Self.use(daemon, Self.trusting(certificates.authority))
        let metrics = try await daemon.page("metrics").text
        #expect(metrics.contains("mailbox_store_appended_messages_total 1\n"))
        #expect(try await daemon.stop().status == 0)
        let plain = try await Daemon.start(directory.file("plain"))
        try #require(plain.isReady)
        let code = try await Self.refusal(plain, Self.trusting(certificates.authority))
        #expect(code == .unavailable)
        #expect(try await plain.stop().status == 0)
    }

    @Test("A certificate for a name is taken from who has that name, and from nobody else")
    func names() async throws {
        let directory = try TestDirectory()
        let certificates = try Certificates()
        let daemon = try await Daemon.start(
            directory.file("store"),
            ["--tls-certificate", certificates.named, "--tls-key", certificates.namedKey])
        try #require(daemon.isReady, "\(daemon.readyLine)")
        try await Self.use(daemon, Self.trusting(certificates.authority, name: "localhost"))
        // Reached by its address, which the certificate does not have; and under another name.
        for name in [nil, "elsewhere"] {
            let code = try await Self.refusal(
                daemon, Self.trusting(certificates.authority, name: name))
            #expect(code == .unavailable, "\(name ?? "no name")")
        }
        #expect(try await daemon.stop().status == 0)
    }

    @Test("With an authority for clients, only those with a certificate of it are served")
    func clientCertificates() async throws {
        let directory = try TestDirectory()
        let certificates = try Certificates()
        let daemon = try await Self.start(
            directory, certificates, ["--tls-client-authority", certificates.authority])
        let known = Self.trusting(
            certificates.authority, certificate: certificates.client, key: certificates.clientKey)
        try await Self.use(daemon, known)
        let unknown = Self.trusting(
            certificates.authority, certificate: certificates.intruder,
            key: certificates.intruderKey)
        for tls in [Self.trusting(certificates.authority), unknown] {
            let code = try await Self.refusal(daemon, tls)
            #expect(code == .unavailable)
        }
        let metrics = try await daemon.page("metrics").text
        #expect(metrics.contains("mailbox_store_appended_messages_total 1\n"))
        #expect(try await daemon.stop().status == 0)
    }

    @Test("Certificates that are none keep the daemon from starting, in one line")
    func badFiles() async throws {
        let directory = try TestDirectory()
        let certificates = try Certificates()
        let empty = try directory.write("no certificate\n", to: "empty.pem")
        let pairs = [
            (empty, certificates.daemonKey), (directory.file("none"), certificates.daemonKey),
            (certificates.daemon, certificates.clientKey),
        ]
        for (certificate, key) in pairs {
            let daemon = try await Daemon.start(
                directory.file("store"), ["--tls-certificate", certificate, "--tls-key", key])
            let end = try await daemon.end()
            #expect(!daemon.isReady)
            #expect(end.status != 0 && !end.wasKilled)
            #expect(end.notes.contains("mailboxd: "))
        }
    }

    @Test("The tool works on a daemon with TLS, and says in one line that it may not")
    func tool() async throws {
        let directory = try TestDirectory()
        let certificates = try Certificates()
        let daemon = try await Self.start(
            directory, certificates, ["--tls-client-authority", certificates.authority])
        let place = ["--connect", "127.0.0.1:\(daemon.port)", "--timeout", "20s"]
        let trust = place + ["--tls-authority", certificates.authority]
        let own = ["--tls-certificate", certificates.client, "--tls-key", certificates.clientKey]
        let appended = try await mailboxctl(["append"] + trust + own + ["a", "b", "hello"])
        #expect(appended.status == 0, "\(appended.notes)")
        let named = try await mailboxctl(
            ["read"] + trust + own + ["--tls-name", "localhost", "a", "b"])
        #expect(named.output.contains("hello"), "\(named.notes)")
        let backup = try await mailboxctl(["backup"] + trust + own + [directory.file("copy")])
        #expect(backup.status == 0, "\(backup.notes)")
        let restored = try await mailboxctl([
            "restore", directory.file("copy"), directory.file("restored"),
        ])
        #expect(restored.status == 0, "\(restored.notes)")

        let short = ["--connect", "127.0.0.1:\(daemon.port)", "--timeout", "1s"]
        for options in [
            short, short + ["--tls-authority", certificates.authority],
            short + own + ["--tls-authority", certificates.stranger],
        ] {
            let refused = try await mailboxctl(["head"] + options + ["a", "b"])
            #expect(refused.status == 69, "\(refused.notes)")
            #expect(refused.notes.hasPrefix("mailboxctl: unavailable: "))
            #expect(refused.output.isEmpty)
        }
        #expect(try await daemon.stop().status == 0)
    }
}
