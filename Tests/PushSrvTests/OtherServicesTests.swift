import Crypto
import Foundation
import JWTKit
import Mailbox
import StoreAPI
import Synchronization
import Testing

@testable import PushSrv

@Suite("Notifications through FCM and a webhook", .serialized)
struct OtherServicesTests {
    private struct Claims: JWTPayload {
        var iss: String
        var scope: String
        var aud: String
        var iat: Int64
        var exp: Int64

        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    private static func fcm(_ world: PushWorld, _ service: LocalService) throws -> PushProviders {
        let account = [
            "project_id": "demo", "private_key_id": "k1", "private_key": TestKeys.rsa,
            "client_email": "push@demo.example", "token_uri": "\(service.url)/token",
        ]
        try world.write(
            String(decoding: try JSONEncoder().encode(account), as: UTF8.self), "account.json")
        var providers = PushProviders()
        var fcm = FCMConfiguration(serviceAccountPath: world.file("account.json"))
        fcm.baseURL = service.url
        providers.fcm = fcm
        providers.trustedCertificatesPath = world.file("ca.pem")
        return providers
    }

    private static func webhook(_ world: PushWorld, _ service: LocalService) -> PushProviders {
        var providers = PushProviders()
        providers.webhook = WebhookConfiguration(
            url: "\(service.url)/hook", secretPath: world.file("secret"))
        providers.trustedCertificatesPath = world.file("ca.pem")
        return providers
    }

    @Test("FCM: a signed claim is exchanged for a token, once; messages bear it")
    func token() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { request in
            request.path == "/token"
                ? .answer(200, body: "{\"access_token\":\"t0ken\",\"expires_in\":3600}")
                : .answer(200, body: "{}")
        }
        let hub = try await world.hub(try Self.fcm(world, service))
        try await world.running(hub) {
            try await hub.register(try world.registration("device:1", service: .fcm))
            try await world.store(5, notifying: hub)
            _ = await service.requests(2)
            try await world.store(1, notifying: hub)
            let requests = await service.requests(3)
            #expect(requests.filter { $0.path == "/token" }.count == 1)
            let form = String(decoding: requests[0].body, as: UTF8.self)
            let assertion = try #require(form.split(separator: "assertion=").last)
            let keys = JWTKeyCollection()
            let key = try Insecure.RSA.PrivateKey(pem: TestKeys.rsa)
            await keys.add(rsa: key.publicKey, digestAlgorithm: .sha256, kid: "k1")
            let claims = try await keys.verify(String(assertion), as: Claims.self)
            #expect(claims.iss == "push@demo.example")
            #expect(claims.aud == "\(service.url)/token")
            #expect(claims.scope.hasSuffix("firebase.messaging"))
            #expect(claims.exp - claims.iat == 3_600)
            let message = requests[1]
            #expect(message.path == "/v1/projects/demo/messages:send")
            #expect(message.header("authorization") == "Bearer t0ken")
            let object = try JSONSerialization.jsonObject(with: message.body) as? [String: Any]
            let body = try #require(object?["message"] as? [String: Any])
            #expect(body["token"] as? String == "device:1")
            #expect((body["data"] as? [String: String])?["badge"] == "5")
        }
        await service.stop()
    }

    @Test(
        "FCM: an unregistered token is retired, a quota is waited for, a bad token renewed",
        arguments: ["UNREGISTERED", "429", "503", "401"])
    func fcmMatrix(how: String) async throws {
        let world = try PushWorld()
        let sends = Mutex(0)
        let service = try await LocalService.start { request in
            if request.path == "/token" { return .answer(200, body: "{\"access_token\":\"t\"}") }
            let number = sends.withLock { sends in
                sends += 1
                return sends
            }
            guard number == 1 else { return .answer(200) }
            switch how {
            case "UNREGISTERED":
                return .answer(
                    404, body: "{\"error\":{\"details\":[{\"errorCode\":\"UNREGISTERED\"}]}}")
            case "429": return .answer(429, headers: [("retry-after", "1")])
            default: return .answer(Int(how) ?? 500)
            }
        }
        let hub = try await world.hub(try Self.fcm(world, service))
        try await world.running(hub) {
            try await hub.register(try world.registration("one", service: .fcm))
            try await world.store(notifying: hub)
            if how == "UNREGISTERED" {
                _ = await service.requests(2)
                try await hub.register(try world.registration("two", service: .fcm))
                try await world.store(notifying: hub)
            }
            let last = try #require(await service.requests(3).last)
            let isNew = String(decoding: last.body, as: UTF8.self).contains("\"two\"")
            #expect(isNew == (how == "UNREGISTERED"))
        }
        await service.stop()
    }

    @Test("A webhook's calls are signed, and say what there is to know")
    func webhook() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(204) }
        let hub = try await world.hub(Self.webhook(world, service))
        try await world.running(hub) {
            try await hub.register(try world.registration("any text", service: .webhook))
            try await world.store(2, notifying: hub)
            let request = await service.requests(1)[0]
            #expect(request.path == "/hook")
            let key = SymmetricKey(data: Data("a secret of more than sixteen bytes".utf8))
            let signed = Data("\(request.header("x-mailbox-timestamp")).".utf8) + request.body
            let digits = HMAC<SHA256>.authenticationCode(for: signed, using: key)
                .map { String($0 >> 4, radix: 16) + String($0 & 15, radix: 16) }.joined()
            #expect(request.header("x-mailbox-signature") == "sha256=\(digits)")
            let object = try JSONSerialization.jsonObject(with: request.body) as? [String: Any]
            #expect(object?["account"] as? String == "bob")
            #expect(object?["token"] as? String == "any text")
            #expect(object?["unread"] as? Int == 2)
        }
        await service.stop()
    }

    @Test("Nobody there: a notification is tried again when somebody is")
    func refusedConnection() async throws {
        let world = try PushWorld()
        let gone = try await LocalService.start { _ in .answer(204) }
        await gone.stop()
        let hub = try await world.hub(Self.webhook(world, gone))
        try await world.running(hub) {
            try await hub.register(try world.registration("x", service: .webhook))
            try await world.store(notifying: hub)
            // It stays owed, whatever the failures, until its attempts end.
            try await hub.unregister(world.bob, device: world.phone)
        }
        #expect(gone.requests.isEmpty)
    }

    @Test("Key files that are none are refused when PushSrv begins, by their names")
    func badFiles() async throws {
        let world = try PushWorld()
        try world.write("short", "secret")
        try world.write("{}", "account.json")
        var providers: [PushProviders] = [PushProviders(), PushProviders(), PushProviders()]
        providers[0].webhook = WebhookConfiguration(
            url: "https://localhost", secretPath: world.file("secret"))
        providers[1].fcm = FCMConfiguration(serviceAccountPath: world.file("account.json"))
        providers[2].apns = APNsConfiguration(
            keyPath: world.file("secret"), keyID: "k", teamID: "t", topic: "x")
        for provider in providers {
            await #expect(throws: StoreError.self) { _ = try await world.hub(provider) }
        }
    }
}
