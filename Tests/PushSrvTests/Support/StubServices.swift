import Logging
import Mailbox
import Metrics
import StoreAPI
import Synchronization

@testable import PushSrv

/// Takes every notification, and tells who was notified.
final class RecordingProvider: NotificationProvider {
    private let notified: Mutex<[Address: Int]> = Mutex([:])

    func send(_ notification: Notification) async -> Delivery {
        notified.withLock { $0[notification.registration.account] = notification.badge }
        return .accepted
    }

    /// Waits until each of the accounts was told last of so many unread messages.
    func waitFor(_ expected: [Address: Int]) async {
        while notified.withLock({ $0 != expected }) { await Task.yield() }
    }
}

/// So many failures, and none afterwards.
final class Failures: Sendable {
    private let count: Mutex<Int>

    init(_ count: Int) { self.count = Mutex(count) }

    var left: Int { count.withLock { $0 } }

    /// - Throws: the error, while there are failures left.
    func pass(_ error: StoreError) throws(StoreError) {
        let fails = count.withLock { left in
            defer { left = max(0, left - 1) }
            return left > 0
        }
        if fails { throw error }
    }
}

/// A registry whose first questions for registrations fail.
final class FlakyRegistry: DeviceRegistering {
    private let base: DeviceRegistry
    private let failures: Failures

    init(_ base: DeviceRegistry, failures: Int) {
        self.base = base
        self.failures = Failures(failures)
    }

    var failuresLeft: Int { failures.left }

    func keep(
        _ registration: PushRegistration, devicesMaximum: Int
    ) async throws(StoreError) {
        try await base.keep(registration, devicesMaximum: devicesMaximum)
    }

    func forget(
        _ account: Address, device: DeviceID, token: String?
    ) async throws(StoreError) {
        try await base.forget(account, device: device, token: token)
    }

    func registrations(of accounts: [Address]) async throws(StoreError) -> [PushRegistration] {
        try failures.pass(StoreError(code: .overloaded, message: "it is locked"))
        return try await base.registrations(of: accounts)
    }

    func accounts(after: Address?, limit: Int) async throws(StoreError) -> [Address] {
        try await base.accounts(after: after, limit: limit)
    }

    func close() { base.close() }
}

extension PushWorld {
    /// A hub that notifies through `provider`, whatever the service is called.
    func hub(
        _ provider: RecordingProvider, registry: (any DeviceRegistering)? = nil,
        _ configuration: PushConfiguration
    ) throws -> PushHub {
        PushHub(
            receiver: StorageReceiver(model), services: [.webhook: provider],
            registry: try registry ?? DeviceRegistry(path: configuration.registryPath),
            configuration: configuration,
            activity: PushActivity(metrics: NOOPMetricsHandler.instance),
            logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    }
}
