import ClientWire
import Mailbox
import Metrics
import StoreAPI
import Testing

@testable import ConnectSrv

@Suite("devices over TLS", .timeLimit(.minutes(2)), .serialized)
struct EncryptionTests {
    @Test("a message goes from device to device over wss; who does not trust it, does not connect")
    func encrypted() async throws {
        let directory = try TestDirectory()
        let certificate = try TestCertificate(in: directory)
        try await TestServer.run(tls: certificate.tls) { server in
            let trusting = try TestCertificate.client()
            var devices: [TestDevice] = []
            for account in ["anna", "bob"] {
                let device = try await TestDevice.open(port: server.port, tls: trusting)
                try await device.hello(try server.tokens.token(account), device: "phone")
                devices.append(device)
            }
            let body = String(repeating: "x", count: 100_000)
            try await devices[0].send("hello", to: "bob", 1)
            #expect(try await devices[0].frame().accepted.sequence == 1)
            #expect(try await devices[1].frame().pushed.message.body.count == 5)
            try await devices[0].send(body, to: "bob", 2)
            #expect(try await devices[0].frame().accepted.sequence == 2)
            var fetch = Mailbox_Client_V1_Fetch()
            fetch.sender = "anna"
            let request = try await devices[1].ask(.fetch(fetch))
            guard case .messages(let messages) = try await devices[1].answer(request) else {
                Issue.record("no messages")
                return
            }
            #expect(messages.messages.map(\.body.count) == [5, 100_000])
            await #expect(throws: (any Error).self) {
                try await TestDevice.open(port: server.port, tls: try TestCertificate.stranger())
            }
        }
    }

    @Test("plain text to a port that is encrypted is cut, and others go on")
    func plainText() async throws {
        let directory = try TestDirectory()
        let certificate = try TestCertificate(in: directory)
        try await TestServer.run(tls: certificate.tls) { server in
            let plain = try await TestDevice.connect(port: server.port)
            let answer = try await plain.exchange(TestDevice.handshake("mailbox.v1.proto"))
            #expect(!answer.contains("HTTP"))
            let device = try await TestDevice.open(
                port: server.port, tls: try TestCertificate.client())
            try await device.hello(try server.tokens.token("anna"), device: "phone")
        }
    }

    @Test("a certificate or key that is none keeps the server from starting, and is not shown")
    func unusable() async throws {
        let directory = try TestDirectory()
        var tls = try TestCertificate(in: directory).tls
        for (name, text) in [("cert.pem", "secret nonsense"), ("key.pem", "secret nonsense")] {
            _ = try TestCertificate(in: directory)
            try directory.write(text, to: name)
            try await expectRefused(tls)
        }
        _ = try TestCertificate(in: directory)
        tls.keyPath = directory.file("missing")
        try await expectRefused(tls)
    }

    private func expectRefused(_ tls: ConnectServerConfiguration.TLS) async throws {
        var configuration = ConnectServerConfiguration()
        configuration.endpoint.port = 0
        configuration.tls = tls
        let services = TestServices()
        let tokens = try await TokenVerifier(keys: [try await TestTokens.secret().key])
        do {
            _ = try ConnectServer(
                configuration: configuration, tokens: tokens, sender: services,
                receiver: StorageReceiver(services.store), pushes: services,
                metrics: NOOPMetricsHandler.instance, logger: CapturedLog().logger)
            Issue.record("a server was made")
        } catch {
            #expect(error.description.contains("cannot be used"))
            #expect(!error.description.contains("secret"))
        }
    }
}

@Suite("key files")
struct KeyFileTests {
    @Test("a secret's line end is not part of it; a public key's file is PEM; a set may have many")
    func files() async throws {
        let directory = try TestDirectory()
        let text = "0123456789abcdef0123456789abcdef"
        let signer = try await TestTokens.secret("h", text)
        for ending in ["", "\n", "\r\n"] {
            let path = try directory.write(text + ending, to: "secret")
            let key = try TokenKey(id: "h", algorithm: .hs256, path: path)
            let verifier = try await TokenVerifier(keys: [key])
            #expect(try verifier.verify(try signer.token()).account == (try Address("anna")))
        }
        let (es256, pem) = try await TestTokens.es256("e")
        let path = try directory.write(pem, to: "public.pem")
        let key = try TokenKey(id: "e", algorithm: .es256, path: path)
        let verifier = try await TokenVerifier(keys: [key])
        #expect(try verifier.verify(try es256.token()).account == (try Address("anna")))
        let secret = Base64URL.encode(Array(text.utf8))
        let set = try directory.write(
            #"{"keys":[{"kty":"oct","kid":"h","alg":"HS256","k":"\#(secret)"}]}"#, to: "set.json")
        let keys = try TokenKey.keys(jwksPath: set)
        let both = try await TokenVerifier(keys: keys + [key])
        #expect(try both.verify(try signer.token()).account == (try Address("anna")))
        #expect(try both.verify(try es256.token()).account == (try Address("anna")))
    }

    @Test("a file that is missing, or holds another kind of key, is named and not shown")
    func refused() async throws {
        let directory = try TestDirectory()
        let path = try directory.write("canary-7261", to: "key")
        for algorithm in TokenKey.Algorithm.allCases {
            for place in [path, directory.file("missing")] {
                do {
                    _ = try TokenKey(id: "k", algorithm: algorithm, path: place)
                    Issue.record("\(algorithm) took \(place)")
                } catch {
                    #expect(!error.description.contains("canary"))
                }
            }
        }
        #expect(throws: TokenKeyError.self) { try TokenKey.keys(jwksPath: path) }
        #expect(throws: TokenKeyError.self) {
            try TokenKey.keys(jwksPath: directory.file("missing"))
        }
    }
}
