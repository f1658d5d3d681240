public import Logging
public import Mailbox
public import ServiceLifecycle
public import StoreAPI
internal import Synchronization

/// PushSrv: brings stored messages to devices that are online, through the instances of ConnectSrv
/// that are attached, and notifies the others.
///
/// Everything that it knows of who is online, and of what is owed, is soft state: it is told anew
/// when it begins. Registrations alone are durable. After a start it looks at the heads of all
/// registered accounts, and notifies those who have something unconfirmed: what was owed before may
/// be notified twice, and is never forgotten.
public final class PushHub: PushAttaching, PushNotifying, Service {
    let registry: any DeviceRegistering
    let receiver: any MessageReceiving
    let configuration: PushConfiguration
    let activity: PushActivity
    let logger: Logger
    /// What the providers call with; nil when they call nobody.
    private let caller: HTTPCaller?
    let services: Notifier.Services
    let presence: Mutex<Presence>
    /// Stored messages that wait to be looked at for devices that are not online.
    let queue: NotifyQueue
    let notifier: Notifier
    /// Accounts that are online, and whose heads are to be looked at: pushes for them may be lost.
    let unsure = AccountQueue()
    /// Accounts that came online at an instance that is attached.
    let newcomers = AccountQueue()
    /// Rung when it is not known any more which registered devices are owed something.
    let lost = Alarm()

    struct Presence {
        var table = PresenceTable()
        var recent: RecentPushes
    }

    /// - Parameters:
    ///   - receiver: knows the heads.
    ///   - providers: the services that are configured.
    ///   - configuration: limits and texts.
    ///   - activity: counts.
    ///   - logger: says what goes wrong; never bodies or tokens.
    /// - Throws: `invalidArgument` when a key's file is none; `failed`, `corrupted` when the
    ///   registry cannot be opened.
    public convenience init(
        receiver: any MessageReceiving, providers: PushProviders,
        configuration: PushConfiguration, activity: PushActivity, logger: Logger
    ) async throws(StoreError) {
        let caller = try HTTPCaller(
            trustedCertificatesPath: providers.trustedCertificatesPath,
            timeout: providers.timeout)
        do throws(StoreError) {
            self.init(
                receiver: receiver, services: try await providers.make(caller), caller: caller,
                registry: try DeviceRegistry(path: configuration.registryPath),
                configuration: configuration, activity: activity, logger: logger)
        } catch {
            await caller.close()
            throw error
        }
    }

    /// As above, with providers that are made, and any registry.
    init(
        receiver: any MessageReceiving, services: Notifier.Services, caller: HTTPCaller? = nil,
        registry: any DeviceRegistering, configuration: PushConfiguration,
        activity: PushActivity, logger: Logger
    ) {
        self.receiver = receiver
        self.services = services
        self.caller = caller
        self.registry = registry
        self.configuration = configuration
        self.activity = activity
        self.logger = logger
        queue = NotifyQueue(
            countMaximum: configuration.pushesWaitingMaximum,
            bytesMaximum: configuration.waitingBytesMaximum)
        notifier = Notifier(
            registry: registry, receiver: receiver, services: services,
            configuration: configuration, activity: activity, logger: logger)
        presence = Mutex(Presence(recent: RecentPushes(now: .now)))
    }

    /// What is to wait for an instance of ConnectSrv that is attached from afar.
    func attachmentQueue() -> NotifyQueue {
        NotifyQueue(
            countMaximum: configuration.pushesWaitingMaximum,
            bytesMaximum: configuration.waitingBytesMaximum)
    }

    /// Works until a graceful shutdown, or until the task is cancelled; once. What is owed then is
    /// found again by the next start.
    public func run() async {
        await withTaskGroup(of: Void.self) { group in
            group.addTask { await self.notifier.run() }
            group.addTask { await self.lookAtPushes() }
            group.addTask { await self.lookAtUnsure() }
            group.addTask { await self.lookAtNewcomers() }
            group.addTask { await self.recover() }
            group.addTask {
                try? await gracefulShutdown()
            }
            // Only the end of the service ends; the recovery does, too, and is waited for no more.
            while await group.next() != nil, !Task.isCancelled, !Task.isShuttingDownGracefully {}
            group.cancelAll()
        }
        queue.close()
        await caller?.close()
        registry.close()
    }

    /// Sessions that are online, as far as is known.
    var sessionCount: Int { presence.withLock { $0.table.sessionCount } }

    /// Brings the metrics that are read on demand up to date.
    public func collectMetrics() {
        let (sessions, attachments) = presence.withLock {
            ($0.table.sessionCount, $0.table.attachmentCount)
        }
        activity.set(sessions: sessions, attachments: attachments)
        activity.set(owed: notifier.owedCount, waiting: queue.count)
    }

    // MARK: PushNotifying

    /// Brings a stored message to the devices that are online, and notes it for the others.
    public func notify(_ push: Push) { take(push) }

    /// Looks at the heads of all who are online, and of all devices that are registered.
    public func noteLoss() { lookForEverybody() }

    /// - Returns: false when no notification will be made of it, because too much waits.
    @discardableResult
    func take(_ push: Push) -> Bool {
        let deliveries = presence.withLock { presence in
            presence.recent.note(push, now: .now)
            return presence.table.deliveries(to: push.mailbox.receiver)
        }
        deliver([push], by: deliveries)
        let isTaken = services.isEmpty || queue.add(push)
        activity.taken(isDropped: !isTaken)
        return isTaken
    }

    func deliver(_ pushes: [Push], by deliveries: [PresenceTable.Deliver]) {
        for push in pushes {
            for deliver in deliveries { deliver(push) }
        }
        activity.delivered(pushes.count * deliveries.count)
    }

    private func lookAtPushes() async {
        while let pushes = await queue.next() {
            if queue.takeLoss() { lost.ring() }
            var newest: [Address: Push] = [:]
            for push in pushes { newest[push.mailbox.receiver] = push }
            do throws(StoreError) {
                let registrations = try await registry.registrations(of: Array(newest.keys))
                for registration in registrations {
                    guard let push = newest[registration.account] else { continue }
                    owe(registration, news(of: push))
                }
            } catch {
                logger.error(
                    "registrations could not be read; trying again",
                    metadata: ["code": "\(error.code)"])
                lost.ring()
            }
        }
    }

    func owe(
        _ registration: PushRegistration, _ news: OwedTable.News?, delay: Duration? = nil
    ) {
        let key = DeviceKey(account: registration.account, device: registration.device)
        let isOnline = presence.withLock { $0.table.isOnline(key.account, key.device) }
        let isTaken = notifier.owe(key, news, isOnline: isOnline, delay: isOnline ? nil : delay)
        if !isTaken { lost.ring() }
    }

    private func news(of push: Push) -> OwedTable.News? {
        guard configuration.content != .none else { return nil }
        var text: String?
        if configuration.content == .body, case .message(let message) = push.content {
            text = String(validating: message.body, as: UTF8.self).map { String($0.prefix(1_000)) }
        }
        return OwedTable.News(
            mailbox: push.mailbox, epoch: push.epoch, sequence: push.sequence, text: text)
    }

    // MARK: PushAttaching

    /// Attaches an instance: see ``PushAttaching``.
    public func attach(
        _ instance: String, deliver: @escaping @Sendable (Push) -> Void
    ) -> any PushAttachment {
        let number = presence.withLock { $0.table.attach(instance, deliver) }
        return HubAttachment(hub: self, number: number)
    }

    func report(_ change: PresenceChange, _ number: PresenceTable.AttachmentNumber) {
        presence.withLock { $0.table.note(change, number) }
    }

    func detach(_ number: PresenceTable.AttachmentNumber) {
        presence.withLock { $0.table.detach(number) }
    }

    /// Keeps where to notify a device: see ``PushAttaching``.
    ///
    /// - Throws: as ``PushAttaching`` says.
    public func register(_ registration: PushRegistration) async throws(StoreError) {
        try registration.check()
        guard services[registration.service] != nil else {
            throw .invalidArgument(
                "this server does not notify through \(registration.service.rawValue)")
        }
        try await registry.keep(
            registration, devicesMaximum: configuration.devicesPerAccountMaximum)
    }

    /// Forgets where to notify a device: see ``PushAttaching``.
    ///
    /// - Throws: as ``PushAttaching`` says.
    public func unregister(_ account: Address, device: DeviceID) async throws(StoreError) {
        try await registry.forget(account, device: device, token: nil)
        notifier.forget(DeviceKey(account: account, device: device))
    }
}

/// An instance's end of its attachment to a hub in its own process.
final class HubAttachment: PushAttachment {
    private let hub: PushHub
    let number: PresenceTable.AttachmentNumber

    init(hub: PushHub, number: PresenceTable.AttachmentNumber) {
        self.hub = hub
        self.number = number
    }

    deinit { detach() }

    func report(_ change: PresenceChange) { hub.report(change, number) }

    func detach() { hub.detach(number) }
}
