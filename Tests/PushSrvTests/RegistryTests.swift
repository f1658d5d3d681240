import GRDB
import Mailbox
import StoreAPI
import Testing

@testable import PushSrv

@Suite("The registry of devices")
struct RegistryTests {
    @Test("What was kept is there when it is opened again, and what was forgotten is not")
    func durable() async throws {
        let world = try PushWorld()
        let path = world.file("registry.sqlite")
        let registry = try DeviceRegistry(path: path)
        try await registry.keep(try world.registration("aa"), devicesMaximum: 3)
        try await registry.keep(try world.registration("bb"), devicesMaximum: 3)
        try await registry.keep(
            try world.registration("cc", service: .webhook, device: "tablet"), devicesMaximum: 3)
        registry.close()
        let again = try DeviceRegistry(path: path)
        let kept = try await again.registrations(of: [world.bob])
        #expect(kept.map(\.token) == ["bb", "cc"])
        let tablet = try world.registration("cc", service: .webhook, device: "tablet")
        #expect(kept[1] == tablet)
        // An old token's end does not take the new one away.
        try await again.forget(world.bob, device: world.phone, token: "aa")
        #expect(try await again.count() == 2)
        try await again.forget(world.bob, device: world.phone, token: "bb")
        #expect(try await again.registrations(of: [world.bob]).map(\.token) == ["cc"])
        again.close()
    }

    @Test("Each change is synced before it is answered")
    func synchronous() async throws {
        let world = try PushWorld()
        let registry = try DeviceRegistry(path: world.file("registry.sqlite"))
        // 2 is FULL.
        #expect(try await registry.synchronousLevel() == 2)
        registry.close()
    }

    @Test("An account has a bounded number of devices; accounts come in pages")
    func bounds() async throws {
        let world = try PushWorld()
        let registry = try DeviceRegistry(path: world.file("registry.sqlite"))
        for name in ["a", "b"] {
            try await registry.keep(try world.registration(device: name), devicesMaximum: 2)
        }
        await #expect(throws: StoreError.self) {
            try await registry.keep(try world.registration(device: "c"), devicesMaximum: 2)
        }
        // A device that is there already takes no more room.
        try await registry.keep(try world.registration("ff", device: "b"), devicesMaximum: 2)
        var other = try world.registration()
        for name in ["zoe", "adam", "carol"] {
            other.account = try Address(name)
            try await registry.keep(other, devicesMaximum: 2)
        }
        let first = try await registry.accounts(after: nil, limit: 3)
        #expect(first.map(\.description) == ["adam", "bob", "carol"])
        #expect(
            try await registry.accounts(after: first[2], limit: 3).map(\.description) == ["zoe"])
        registry.close()
    }

    @Test("What is no registry is refused, and told without tokens")
    func damaged() async throws {
        let world = try PushWorld()
        try world.write(String(repeating: "no database ", count: 100), "registry.sqlite")
        #expect(throws: StoreError.self) {
            try DeviceRegistry(path: world.file("registry.sqlite"))
        }
    }
}
