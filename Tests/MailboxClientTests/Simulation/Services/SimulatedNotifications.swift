import Mailbox
import MailboxTesting

@testable import PushSrv
@testable import StoreAPI

/// Who notifies devices that are not online, and the file that says where: what no process takes
/// with it when it dies.
///
/// `@unchecked Sendable`: one thread runs a world.
final class SimulatedNotifications: @unchecked Sendable {
    /// How long a device may be owed a notification when nothing goes wrong any more: what is
    /// longest is the wait behind the last attempt that failed.
    static let patienceMilliseconds: Int64 = 60_000

    fileprivate var registered: [Address: [DeviceID: PushRegistration]] = [:]
    /// Since when devices are registered.
    private var since: [DeviceKey: Int64] = [:]
    /// When the store said last, before a device was notified, what its account had not confirmed.
    fileprivate var toldAt: [DeviceKey: Int64] = [:]
    /// The newest message of each mailbox that was confirmed before the store forgot that it was.
    private var confirmedAt: [MailboxID: Int64] = [:]

    /// A store may forget what was confirmed: nobody needs to be told of that again.
    func noteConfirmed(_ store: ModelStore) {
        store.inspect { state in
            for (id, mailbox) in state.mailboxes {
                let isAll = mailbox.acknowledged == mailbox.max
                let newest =
                    isAll
                    ? mailbox.newestTimestamp
                    : mailbox.messages.last { $0.sequence <= mailbox.acknowledged }?
                        .timestampMilliseconds
                confirmedAt[id] = max(confirmedAt[id] ?? 0, newest ?? 0)
            }
        }
    }

    /// Registers a device, as it does when it connects.
    func register(_ account: Address, _ device: DeviceID, now: Int64) {
        let key = DeviceKey(account: account, device: device)
        guard since[key] == nil else { return }
        since[key] = now
        registered[account, default: [:]][device] = PushRegistration(
            account: account, device: device, service: .webhook, token: device.description)
    }

    /// A device that was away comes back: it was notified of what waits for it.
    ///
    /// - Returns: whether anything waited.
    /// - Throws: what the oracle found.
    func check(
        _ account: Address, _ device: DeviceID, _ store: ModelStore, calmFrom: Int64, now: Int64
    ) throws -> Bool {
        let newest = store.inspect { state in
            state.mailboxes.filter { $0.key.receiver == account }
                .flatMap { id, mailbox in
                    mailbox.messages.filter { $0.sequence > mailbox.acknowledged }
                        .map(\.timestampMilliseconds).filter { $0 > confirmedAt[id] ?? 0 }
                }
                .max()
        }
        let key = DeviceKey(account: account, device: device)
        // What was stored before is a device's own business: it connected since then.
        guard let newest, let since = since[key], newest > since,
            max(newest, calmFrom) + Self.patienceMilliseconds <= now
        else { return false }
        let told = toldAt[key]
        guard let told, told >= newest else {
            throw SimulationFailure(
                "\(account) was away, and not told of what was stored at \(newest): \(told ?? 0)")
        }
        return true
    }
}

/// A process's end of the file, and of the service that notifies.
///
/// `@unchecked Sendable`: one thread runs a world.
final class SimulatedNotifier: DeviceRegistering, NotificationProvider, @unchecked Sendable {
    private let services: ServicesBackend
    /// It holds this.
    private weak var process: SimulatedProcess?
    private let storage: SimulatedStorage
    private var world: SimulatedWorld { services.world }
    private var notifications: SimulatedNotifications { services.notifications }

    init(_ services: ServicesBackend, _ process: SimulatedProcess, _ storage: SimulatedStorage) {
        self.services = services
        self.process = process
        self.storage = storage
    }

    func send(_ notification: Notification) async -> Delivery {
        let account = notification.registration.account
        let read = storage.inboxReads[account]
        await world.pause(5...200)
        guard process?.isAlive == true, !world.goesWrong(10) else { return .failed("no answer") }
        if world.goesWrong(5) { return .slowDown(.milliseconds(world.draw(100...5_000))) }
        guard services.mistake != .forgetsToNotify, let read else { return .accepted }
        let key = DeviceKey(account: account, device: notification.registration.device)
        notifications.toldAt[key] = max(notifications.toldAt[key] ?? 0, read)
        world.note("notified \(account)")
        // It arrived, and who sent it does not hear so.
        return world.goesWrong(5) ? .failed("no answer") : .accepted
    }

    private func call<Value>(
        _ verb: () throws(StoreError) -> Value
    ) async throws(StoreError) -> Value {
        await world.pause(1...4)
        guard process?.isAlive == true, !world.goesWrong(2) else {
            world.note("the registry cannot be read")
            throw StoreError(code: .failed, message: "the registry cannot be read")
        }
        return try verb()
    }

    func keep(
        _ registration: PushRegistration, devicesMaximum: Int
    ) async throws(StoreError) {
        try await call {
            notifications.registered[registration.account, default: [:]][registration.device] =
                registration
        }
    }

    func forget(
        _ account: Address, device: DeviceID, token: String?
    ) async throws(StoreError) {
        try await call { notifications.registered[account]?[device] = nil }
    }

    func registrations(of accounts: [Address]) async throws(StoreError) -> [PushRegistration] {
        try await call {
            accounts.flatMap { account in
                (notifications.registered[account] ?? [:]).values
                    .sorted { $0.device.description < $1.device.description }
            }
        }
    }

    func accounts(after: Address?, limit: Int) async throws(StoreError) -> [Address] {
        try await call {
            let all = notifications.registered.keys.sorted { $0.description < $1.description }
            return Array(
                all.filter { $0.description > after?.description ?? "" }.prefix(limit))
        }
    }

    func close() {}
}
