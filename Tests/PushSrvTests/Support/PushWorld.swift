import Foundation
import Logging
import Mailbox
import MailboxTesting
import Metrics
import StoreAPI
import Synchronization

@testable import PushSrv

/// A model of the store, and a PushSrv over it with short delays.
final class PushWorld: Sendable {
    let path: String
    let model = ModelStore()
    let bob: Address
    let phone: DeviceID

    init() throws {
        path = "\(NSTemporaryDirectory())/push-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path, withIntermediateDirectories: true)
        bob = try Address("bob")
        phone = try DeviceID("phone")
        try write(TestKeys.certificate, "ca.pem")
        try write(TestKeys.key, "apns.p8")
        try write("a secret of more than sixteen bytes\n", "secret")
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    func file(_ name: String) -> String { "\(path)/\(name)" }

    func write(_ text: String, _ name: String) throws {
        try Data(text.utf8).write(to: URL(fileURLWithPath: file(name)))
    }

    func configuration() -> PushConfiguration {
        var configuration = PushConfiguration(registryPath: file("registry.sqlite"))
        configuration.collapseDelay = .milliseconds(50)
        configuration.quietTime = .milliseconds(50)
        configuration.silenceDelay = .milliseconds(150)
        configuration.recoveryDelay = .milliseconds(20)
        configuration.retryInitial = .milliseconds(10)
        configuration.retryMaximum = .milliseconds(40)
        return configuration
    }

    func apns(_ service: LocalService) -> PushProviders {
        var providers = PushProviders()
        var apns = APNsConfiguration(
            keyPath: file("apns.p8"), keyID: AppleRules.keyID, teamID: AppleRules.teamID,
            topic: "com.example.app")
        apns.productionURL = service.url
        apns.sandboxURL = service.url
        providers.apns = apns
        providers.trustedCertificatesPath = file("ca.pem")
        providers.timeout = .milliseconds(500)
        return providers
    }

    func hub(
        _ providers: PushProviders, _ configuration: PushConfiguration? = nil
    ) async throws -> PushHub {
        try await PushHub(
            receiver: StorageReceiver(model), providers: providers,
            configuration: configuration ?? self.configuration(),
            activity: PushActivity(metrics: NOOPMetricsHandler.instance),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }

    /// Runs a hub while `body` does.
    func running<Answer: Sendable>(
        _ hub: PushHub, _ body: @escaping @Sendable () async throws -> Answer
    ) async throws -> Answer {
        let task = Task { await hub.run() }
        let result: Result<Answer, any Error>
        do {
            result = .success(try await body())
        } catch {
            result = .failure(error)
        }
        task.cancel()
        await task.value
        return try result.get()
    }

    func registration(
        _ token: String = "ab12", service: PushRegistration.Service = .apns,
        device: String = "phone"
    ) throws -> PushRegistration {
        PushRegistration(
            account: bob, device: try DeviceID(device), service: service, token: token)
    }

    /// Stores messages from a sender to Bob, and tells them as SendSrv does.
    @discardableResult
    func store(
        _ count: Int = 1, from sender: String = "alice", text: String = "hello",
        notifying push: (any PushNotifying)? = nil
    ) async throws -> [Push] {
        let mailbox = MailboxID(sender: try Address(sender), receiver: bob)
        let epoch = try await model.epoch
        var pushes: [Push] = []
        for _ in 0..<count {
            let result = try await model.append(Append(mailbox, text: text))
            guard let sequence = result.sequence else { continue }
            let message = Message(
                sequence: sequence, timestampMilliseconds: 1, body: Array(text.utf8)[...])
            let stored = Push(mailbox: mailbox, epoch: epoch, content: .message(message))
            pushes.append(stored)
            push?.notify(stored)
        }
        return pushes
    }

    func acknowledge(from sender: String = "alice", through sequence: SequenceNumber) async throws {
        let mailbox = MailboxID(sender: try Address(sender), receiver: bob)
        let cursor = Cursor(sequence, epoch: try await model.epoch)
        _ = try await model.acknowledge(mailbox, through: cursor)
    }
}

/// Keeps what is delivered, and wakes who waits for it.
final class Inbox: Sendable {
    private struct State {
        var pushes: [Push] = []
        var waiters: [(count: Int, continuation: CheckedContinuation<Void, Never>)] = []
    }

    private let state = Mutex(State())

    var all: [Push] { state.withLock { $0.pushes } }

    func add(_ push: Push) {
        let ready = state.withLock { state in
            state.pushes.append(push)
            let count = state.pushes.count
            let ready = state.waiters.filter { $0.count <= count }
            state.waiters.removeAll { $0.count <= count }
            return ready
        }
        for waiter in ready { waiter.continuation.resume() }
    }

    /// Keeps a message; notices, which a new attachment may bring, are passed over.
    func addMessage(_ push: Push) {
        if case .message = push.content { add(push) }
    }

    /// Waits until so many have come.
    func pushes(_ count: Int) async -> [Push] {
        await withCheckedContinuation { continuation in
            let isReady = state.withLock { state in
                if state.pushes.count < count { state.waiters.append((count, continuation)) }
                return state.pushes.count >= count
            }
            if isReady { continuation.resume() }
        }
        return all
    }
}
