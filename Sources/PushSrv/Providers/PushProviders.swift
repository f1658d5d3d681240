internal import Mailbox
internal import StoreAPI

/// The services that bring notifications to devices; those that are nil are not offered.
public struct PushProviders: Sendable {
    /// Apple's.
    public var apns: APNsConfiguration?
    /// Google's.
    public var fcm: FCMConfiguration?
    /// The operator's own.
    public var webhook: WebhookConfiguration?
    /// Certificates to trust in place of the system's (PEM).
    public var trustedCertificatesPath: String?
    /// How long a call to one of them may take.
    public var timeout = Duration.seconds(10)

    /// None.
    public init() {}

    /// - Throws: `invalidArgument` when a key's file is none.
    func make(_ caller: HTTPCaller) async throws(StoreError) -> Notifier.Services {
        var services: Notifier.Services = [:]
        if let apns { services[.apns] = try await APNsProvider(apns, caller) }
        if let fcm { services[.fcm] = try await FCMProvider(fcm, caller) }
        if let webhook { services[.webhook] = try WebhookProvider(webhook, caller) }
        return services
    }
}
