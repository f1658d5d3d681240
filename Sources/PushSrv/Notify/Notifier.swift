internal import Crypto
internal import Foundation
internal import Logging
internal import Mailbox
internal import StoreAPI
internal import Synchronization

/// Notifies devices that are owed it: takes those whose time has come, looks whether anything is
/// still unconfirmed, and sends; a few at a time.
final class Notifier: Sendable {
    typealias Services = [PushRegistration.Service: any NotificationProvider]

    private let table: Mutex<OwedTable>
    /// Until when nothing is sent to a service that wants fewer.
    private let pauses: Mutex<[PushRegistration.Service: ContinuousClock.Instant]> = Mutex([:])
    private let alarm = Alarm()
    private let registry: any DeviceRegistering
    private let receiver: any MessageReceiving
    private let services: Services
    private let configuration: PushConfiguration
    private let activity: PushActivity
    private let logger: Logger

    init(
        registry: any DeviceRegistering, receiver: any MessageReceiving, services: Services,
        configuration: PushConfiguration, activity: PushActivity, logger: Logger
    ) {
        self.registry = registry
        self.receiver = receiver
        self.services = services
        self.configuration = configuration
        self.activity = activity
        self.logger = logger
        let delays = OwedTable.Delays(
            collapse: configuration.collapseDelay, quiet: configuration.quietTime,
            silence: configuration.silenceDelay, retryInitial: configuration.retryInitial,
            retryMaximum: configuration.retryMaximum,
            attemptsMaximum: configuration.attemptsMaximum)
        table = Mutex(OwedTable(delays, countMaximum: configuration.owedMaximum))
    }

    /// Devices that are owed something.
    var owedCount: Int { table.withLock { $0.count } }

    /// A message came for a device, or is found to have come.
    ///
    /// - Returns: false when there was no room to note it.
    func owe(
        _ key: DeviceKey, _ news: OwedTable.News?, isOnline: Bool, delay: Duration? = nil
    ) -> Bool {
        let isTaken = table.withLock {
            $0.owe(key, news, isOnline: isOnline, now: .now, delay: delay)
        }
        if isTaken { alarm.ring() } else { activity.notificationForgotten() }
        return isTaken
    }

    /// The device is not to be notified any more.
    func forget(_ key: DeviceKey) { table.withLock { $0.forget(key) } }

    /// Notifies until the task is cancelled.
    func run() async {
        await withDiscardingTaskGroup { group in
            while !Task.isCancelled {
                while let due = takeDue() {
                    group.addTask { await self.notify(due) }
                }
                let (next, isFull) = table.withLock {
                    ($0.nextDue, $0.underWay >= self.configuration.sendsMaximum)
                }
                // While all places are taken, the next one to be free rings.
                await alarm.wait(until: isFull ? nil : next)
            }
            group.cancelAll()
        }
    }

    private func takeDue() -> OwedTable.Due? {
        table.withLock { table in
            table.underWay < configuration.sendsMaximum ? table.take(now: .now) : nil
        }
    }

    private func notify(_ due: OwedTable.Due) async {
        let outcome = await attempt(due)
        let jitter = Double.random(in: 0...1)
        let isOver = table.withLock {
            !$0.finish(due.key, outcome, now: .now, jitter: jitter)
        }
        if isOver { activity.notificationForgotten() }
        alarm.ring()
    }

    private func attempt(_ due: OwedTable.Due) async -> OwedTable.Outcome {
        let registration: PushRegistration
        let unread: Int
        do throws(StoreError) {
            let all = try await registry.registrations(of: [due.key.account])
            guard let own = all.first(where: { $0.device == due.key.device }) else {
                return .needless
            }
            registration = own
            unread = try await unreadCount(due.key.account)
        } catch {
            logger.warning(
                "what a device is owed could not be looked up",
                metadata: ["code": "\(error.code)"])
            return .failed
        }
        guard unread > 0 else { return .needless }
        guard let provider = services[registration.service] else { return .refused }
        if let pause = pause(of: registration.service) { return .postponed(pause) }
        let delivery = await provider.send(notification(registration, unread, due.news))
        return await settle(registration, delivery)
    }

    /// How much the account has not confirmed, over all senders.
    private func unreadCount(_ account: Address) async throws(StoreError) -> Int {
        var count = 0
        var after: Address?
        for _ in 0..<configuration.badgePagesMaximum {
            let page = try await receiver.inbox(account, after: after, limit: 1_000)
            for entry in page.entries { count += Int(entry.head.waitingCount) }
            guard let next = page.next else { break }
            after = next
        }
        return count
    }

    private func notification(
        _ registration: PushRegistration, _ unread: Int, _ news: OwedTable.News?
    ) -> Notification {
        let told = configuration.content == .none ? nil : news
        let lifetime = configuration.lifetime.components.seconds
        return Notification(
            registration: registration, badge: unread, news: told, alert: configuration.alert,
            collapseID: Self.collapseID(registration.account, told?.mailbox.sender),
            expirationSeconds: Int64(Date.now.timeIntervalSince1970) + lifetime)
    }

    /// One notification for a device, or one for each sender where notifications tell of them. Not
    /// the addresses themselves: the services need not know them.
    static func collapseID(_ account: Address, _ sender: Address?) -> String {
        var hash = SHA256()
        hash.update(data: account.utf8)
        hash.update(data: [0])
        hash.update(data: sender?.utf8 ?? [])
        let digest = Data(hash.finalize().prefix(24))
        return digest.base64EncodedString().replacing("/", with: "_").replacing("+", with: "-")
    }

    private func settle(
        _ registration: PushRegistration, _ delivery: Delivery
    ) async -> OwedTable.Outcome {
        let service = registration.service
        switch delivery {
        case .accepted:
            activity.notified(service, "accepted")
            return .sent
        case .unregistered:
            activity.notified(service, "unregistered")
            activity.tokenRetired()
            do throws(StoreError) {
                try await registry.forget(
                    registration.account, device: registration.device, token: registration.token)
            } catch {
                logger.error(
                    "a token that is no more could not be forgotten",
                    metadata: ["code": "\(error.code)"])
            }
            return .needless
        case .slowDown(let time):
            activity.notified(service, "slowed")
            let until = ContinuousClock.now + time
            pauses.withLock { $0[service] = max($0[service] ?? until, until) }
            return .postponed(time)
        case .failed(let reason):
            activity.notified(service, "failed")
            log("a notification failed; it is tried again", service, reason)
            return .failed
        case .refused(let reason):
            activity.notified(service, "refused")
            log("a notification was refused", service, reason)
            return .refused
        }
    }

    private func pause(of service: PushRegistration.Service) -> Duration? {
        let until = pauses.withLock { $0[service] }
        guard let until, until > .now else { return nil }
        return until - .now
    }

    private func log(
        _ message: Logger.Message, _ service: PushRegistration.Service, _ reason: String
    ) {
        logger.warning(
            message, metadata: ["service": "\(service.rawValue)", "reason": "\(reason)"])
    }
}
