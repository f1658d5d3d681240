internal import Foundation
internal import JWTKit
internal import Mailbox
internal import StoreAPI

/// How Apple's service is spoken to.
public struct APNsConfiguration: Sendable {
    /// The file with the key of the developer's account (`.p8`, PEM, ES256).
    public var keyPath: String
    /// The key's identifier, ten characters.
    public var keyID: String
    /// The team's identifier, ten characters.
    public var teamID: String
    /// The topic of registrations that name none: the app's bundle identifier.
    public var topic: String
    /// Where tokens of the App Store's apps go.
    public var productionURL = "https://api.push.apple.com"
    /// Where tokens of the sandbox go.
    public var sandboxURL = "https://api.sandbox.push.apple.com"

    /// A key, and whose it is.
    public init(keyPath: String, keyID: String, teamID: String, topic: String) {
        self.keyPath = keyPath
        self.keyID = keyID
        self.teamID = teamID
        self.topic = topic
    }
}

/// Apple Push Notification service, over HTTP/2 with token authentication.
struct APNsProvider: NotificationProvider {
    /// The most bytes of a payload.
    static let payloadBytesMaximum = 4_096

    private let configuration: APNsConfiguration
    private let caller: HTTPCaller
    private let token: SignedToken

    /// - Throws: `invalidArgument` when the key's file is none.
    init(
        _ configuration: APNsConfiguration, _ caller: HTTPCaller
    ) async throws(StoreError) {
        self.configuration = configuration
        self.caller = caller
        guard let text = try? String(contentsOfFile: configuration.keyPath, encoding: .utf8),
            let key = try? ES256PrivateKey(pem: text)
        else {
            throw .invalidArgument("\(configuration.keyPath) has no key for ES256 (PEM)")
        }
        let keys = JWTKeyCollection()
        await keys.add(ecdsa: key, kid: JWKIdentifier(string: configuration.keyID))
        let team = configuration.teamID
        let keyID = configuration.keyID
        // Apple takes a token from 20 to 60 minutes of age, and wants it no newer more often.
        token = SignedToken(lifetime: .seconds(45 * 60), renewal: .seconds(20 * 60)) {
            let claims = APNsClaims(iss: team, iat: Int64(Date.now.timeIntervalSince1970))
            return try await keys.sign(claims, kid: JWKIdentifier(string: keyID))
        }
    }

    func send(_ notification: Notification) async -> Delivery {
        let registration = notification.registration
        let topic = registration.topic.isEmpty ? configuration.topic : registration.topic
        let base =
            registration.isSandbox ? configuration.sandboxURL : configuration.productionURL
        let answer: HTTPCaller.Answer
        do {
            answer = try await caller.post(
                "\(base)/3/device/\(registration.token)",
                headers: [
                    ("authorization", "bearer \(try await token.value())"),
                    ("apns-topic", topic), ("apns-push-type", "alert"), ("apns-priority", "10"),
                    ("apns-expiration", "\(notification.expirationSeconds)"),
                    ("apns-collapse-id", notification.collapseID),
                    ("content-type", "application/json"),
                ], body: try Self.payload(notification))
        } catch {
            return .failed(HTTPCaller.reason(error))
        }
        return await delivery(answer)
    }

    private func delivery(_ answer: HTTPCaller.Answer) async -> Delivery {
        if answer.status == 200 { return .accepted }
        let reason =
            (try? JSONDecoder().decode(APNsRefusal.self, from: answer.body))?.reason ?? ""
        switch (answer.status, reason) {
        case (410, _), (400, "BadDeviceToken"), (400, "DeviceTokenNotForTopic"):
            return .unregistered
        case (403, "ExpiredProviderToken"):
            await token.renew()
            return .failed(reason)
        case (429, _): return .slowDown(answer.retryAfter ?? .seconds(10))
        case (500..., _): return answer.retryAfter.map { .slowDown($0) } ?? .failed(reason)
        default: return .refused("\(answer.status) \(reason)")
        }
    }

    /// The notification as JSON. A text that makes it too long is cut.
    static func payload(_ notification: Notification) throws -> Data {
        var news = notification.news
        while true {
            let payload = APNsPayload(
                aps: APNsPayload.Body(
                    alert: APNsPayload.Alert(
                        title: news?.mailbox.sender.description,
                        body: news?.text ?? notification.alert),
                    badge: notification.badge, sound: "default"),
                mailbox: news.map { NewsText($0) })
            let encoder = JSONEncoder()
            encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
            let data = try encoder.encode(payload)
            guard data.count > payloadBytesMaximum, let text = news?.text else { return data }
            news?.text = text.count > 1 ? String(text.prefix(text.count / 2)) : nil
        }
    }
}

/// Who speaks, and since when.
private struct APNsClaims: JWTPayload {
    var iss: String
    var iat: Int64

    func verify(using algorithm: some JWTAlgorithm) async throws {}
}

private struct APNsRefusal: Decodable {
    var reason: String
}

private struct APNsPayload: Encodable {
    struct Alert: Encodable {
        var title: String?
        var body: String
    }
    struct Body: Encodable {
        var alert: Alert
        var badge: Int
        var sound: String
    }
    var aps: Body
    var mailbox: NewsText?
}

/// The newest message's place, for the app.
struct NewsText: Encodable {
    var sender: String
    var sequence: UInt32
    var epoch: String

    init(_ news: OwedTable.News) {
        sender = news.mailbox.sender.description
        sequence = news.sequence
        epoch = news.epoch.description
    }
}
