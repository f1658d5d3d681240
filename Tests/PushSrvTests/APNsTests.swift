import Foundation
import Mailbox
import StoreAPI
import Synchronization
import Testing

@testable import PushSrv

@Suite("Notifications through APNs", .serialized)
struct APNsTests {
    private static func payload(_ request: LocalService.Request) throws -> [String: Any] {
        let object = try JSONSerialization.jsonObject(with: request.body)
        return try #require(object as? [String: Any])
    }

    @Test("Ten messages make one notification that keeps Apple's rules, without any of their text")
    func one() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        var configuration = world.configuration()
        configuration.collapseDelay = .milliseconds(500)
        let hub = try await world.hub(world.apns(service), configuration)
        try await world.running(hub) {
            try await hub.register(try world.registration())
            for push in try await world.store(10, text: "a secret") { hub.notify(push) }
            let request = await service.requests(1)[0]
            #expect(try await AppleRules.problems(request) == [])
            #expect(request.path == "/3/device/ab12")
            #expect(request.header("apns-topic") == "com.example.app")
            let aps = try #require(try Self.payload(request)["aps"] as? [String: Any])
            #expect(aps["badge"] as? Int == 10)
            #expect(!String(decoding: request.body, as: UTF8.self).contains("secret"))
            #expect(!String(decoding: request.body, as: UTF8.self).contains("alice"))
            // A second wave makes a second one, in the first one's place on the device.
            for push in try await world.store(3) { hub.notify(push) }
            let both = await service.requests(2)
            #expect(both.count == 2)
            #expect(both[1].header("apns-collapse-id") == both[0].header("apns-collapse-id"))
            let second = try #require(try Self.payload(both[1])["aps"] as? [String: Any])
            #expect(second["badge"] as? Int == 13)
        }
        await service.stop()
    }

    @Test("With content, the newest message's sender and text; a long text is cut to the limit")
    func content() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        var configuration = world.configuration()
        configuration.content = .body
        let hub = try await world.hub(world.apns(service), configuration)
        try await world.running(hub) {
            try await hub.register(try world.registration())
            try await world.store(text: String(repeating: "😀", count: 4_000), notifying: hub)
            let request = await service.requests(1)[0]
            #expect(try await AppleRules.problems(request) == [])
            let aps = try #require(try Self.payload(request)["aps"] as? [String: Any])
            let alert = try #require(aps["alert"] as? [String: Any])
            #expect(alert["title"] as? String == "alice")
            #expect((alert["body"] as? String)?.hasPrefix("😀😀") == true)
        }
        await service.stop()
    }

    @Test("What is confirmed before its time is not notified")
    func confirmed() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        let hub = try await world.hub(world.apns(service))
        try await world.running(hub) {
            try await hub.register(try world.registration())
            let pushes = try await world.store(2)
            try await world.acknowledge(through: 2)
            for push in pushes { hub.notify(push) }
            // A later message is notified alone: had the first two been, this were the second.
            try await world.store(1, from: "carol", notifying: hub)
            let aps = try #require(
                try Self.payload(await service.requests(1)[0])["aps"] as? [String: Any])
            #expect(aps["badge"] as? Int == 1)
        }
        await service.stop()
    }

    @Test(
        "A token that Apple does not know any more is retired",
        arguments: [
            (410, "Unregistered"), (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"),
        ])
    func retired(status: Int, reason: String) async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { request in
            request.path.hasSuffix("dead")
                ? .answer(status, body: "{\"reason\":\"\(reason)\"}") : .answer(200)
        }
        let hub = try await world.hub(world.apns(service))
        try await world.running(hub) {
            try await hub.register(try world.registration("dead"))
            try await hub.register(try world.registration("beef", device: "tablet"))
            try await world.store(notifying: hub)
            _ = await service.requests(2)
            // The other device's second notification comes after the first one's refusal.
            try await world.store(notifying: hub)
            let paths = await service.requests(3).map(\.path)
            #expect(paths.filter { $0.hasSuffix("dead") }.count == 1)
        }
        let registry = try DeviceRegistry(path: world.file("registry.sqlite"))
        #expect(try await registry.registrations(of: [world.bob]).map(\.token) == ["beef"])
        registry.close()
        await service.stop()
    }

    @Test(
        "A service that fails is asked again until it takes the notification",
        arguments: ["500", "503", "429", "goAway", "hang", "expired"])
    func failing(how: String) async throws {
        let world = try PushWorld()
        let count = Mutex(0)
        let service = try await LocalService.start { _ in
            let number = count.withLock { count in
                count += 1
                return count
            }
            guard number < 3 else { return .answer(200) }
            switch how {
            case "429":
                return number == 1
                    ? .answer(
                        429, body: "{\"reason\":\"TooManyRequests\"}",
                        headers: [("retry-after", "1")])
                    : .answer(500)
            case "goAway": return .goAway
            case "hang": return .hang
            case "expired": return .answer(403, body: "{\"reason\":\"ExpiredProviderToken\"}")
            default: return .answer(Int(how) ?? 500, body: "{\"reason\":\"Shutdown\"}")
            }
        }
        let hub = try await world.hub(world.apns(service))
        try await world.running(hub) {
            try await hub.register(try world.registration())
            try await world.store(notifying: hub)
            #expect(await service.requests(3).count == 3)
        }
        await service.stop()
    }

    @Test("A refusal for good is not repeated, and the token stays")
    func refused() async throws {
        let world = try PushWorld()
        let isFirst = Mutex(true)
        let service = try await LocalService.start { _ in
            let first = isFirst.withLock { isFirst in
                defer { isFirst = false }
                return isFirst
            }
            return first
                ? .answer(403, body: "{\"reason\":\"InvalidProviderToken\"}") : .answer(200)
        }
        let hub = try await world.hub(world.apns(service))
        try await world.running(hub) {
            try await hub.register(try world.registration())
            try await world.store(notifying: hub)
            _ = await service.requests(1)
            try await world.store(notifying: hub)
            let aps = try #require(
                try Self.payload(await service.requests(2)[1])["aps"] as? [String: Any])
            #expect(aps["badge"] as? Int == 2)
        }
        await service.stop()
    }

    @Test("What was owed when PushSrv crashed is found again from the heads")
    func recovery() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        let first = try await world.hub(world.apns(service))
        try await world.running(first) { try await first.register(try world.registration()) }
        // Stored while no PushSrv is there: nobody was told.
        try await world.store(4)
        let second = try await world.hub(world.apns(service))
        try await world.running(second) {
            let request = await service.requests(1)[0]
            let aps = try #require(try Self.payload(request)["aps"] as? [String: Any])
            #expect(aps["badge"] as? Int == 4)
        }
        await service.stop()
    }

    @Test(
        "A connected device that leaves messages unconfirmed is notified, one that confirms is not")
    func silent() async throws {
        let world = try PushWorld()
        let service = try await LocalService.start { _ in .answer(200) }
        let hub = try await world.hub(world.apns(service))
        try await world.running(hub) {
            try await hub.register(try world.registration())
            let inbox = Inbox()
            let attachment = hub.attach("connect-1") { inbox.add($0) }
            attachment.report(
                PresenceChange(account: world.bob, device: world.phone, session: 1, isOnline: true))
            try await world.store(notifying: hub)
            #expect(await inbox.pushes(1).count == 1)
            try await world.acknowledge(through: 1)
            try await world.store(notifying: hub)
            let request = await service.requests(1)[0]
            let aps = try #require(try Self.payload(request)["aps"] as? [String: Any])
            #expect(aps["badge"] as? Int == 1)
            attachment.detach()
        }
        await service.stop()
    }
}
