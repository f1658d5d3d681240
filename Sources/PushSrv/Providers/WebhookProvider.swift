internal import Crypto
internal import Foundation
internal import Mailbox
internal import StoreAPI

/// How an operator's own endpoint is called.
public struct WebhookConfiguration: Sendable {
    /// Where notifications are posted.
    public var url: String
    /// The file with the secret that signs them: at least 16 bytes; a line feed at its end is not
    /// part of it.
    public var secretPath: String

    /// An endpoint and its secret.
    public init(url: String, secretPath: String) {
        self.url = url
        self.secretPath = secretPath
    }
}

/// An HTTP endpoint that the operator set: JSON, signed.
///
/// `x-mailbox-timestamp` has the time in seconds since 1970, `x-mailbox-signature` `sha256=` and
/// the HMAC-SHA256, in hexadecimal digits, of the timestamp, a full stop and the body. The endpoint
/// answers 2xx when it took the notification, 410 when it does not know the device any more, 429 or
/// 5xx to be asked again.
struct WebhookProvider: NotificationProvider {
    private let url: String
    private let key: SymmetricKey
    private let caller: HTTPCaller

    /// - Throws: `invalidArgument` when the secret's file is none, or too short.
    init(_ configuration: WebhookConfiguration, _ caller: HTTPCaller) throws(StoreError) {
        guard let data = FileManager.default.contents(atPath: configuration.secretPath) else {
            throw .invalidArgument("cannot read the webhook's secret, \(configuration.secretPath)")
        }
        let secret = data.last == UInt8(ascii: "\n") ? data.dropLast() : data
        guard secret.count >= 16 else {
            throw .invalidArgument(
                "the webhook's secret has \(secret.count) bytes; it must have at least 16")
        }
        url = configuration.url
        key = SymmetricKey(data: secret)
        self.caller = caller
    }

    func send(_ notification: Notification) async -> Delivery {
        let answer: HTTPCaller.Answer
        do {
            let body = try Self.payload(notification)
            let timestamp = "\(Int64(Date.now.timeIntervalSince1970))"
            answer = try await caller.post(
                url,
                headers: [
                    ("content-type", "application/json"), ("x-mailbox-timestamp", timestamp),
                    ("x-mailbox-signature", Self.signature(body, timestamp, key)),
                ], body: body)
        } catch {
            return .failed(HTTPCaller.reason(error))
        }
        switch answer.status {
        case 200..<300: return .accepted
        case 410: return .unregistered
        case 429: return .slowDown(answer.retryAfter ?? .seconds(10))
        case 500...: return answer.retryAfter.map { .slowDown($0) } ?? .failed("\(answer.status)")
        default: return .refused("\(answer.status)")
        }
    }

    static func signature(_ body: Data, _ timestamp: String, _ key: SymmetricKey) -> String {
        var code = HMAC<SHA256>(key: key)
        code.update(data: Data("\(timestamp).".utf8))
        code.update(data: body)
        let digits = code.finalize().map { byte in
            let text = String(byte, radix: 16)
            return text.count == 1 ? "0" + text : text
        }
        return "sha256=" + digits.joined()
    }

    static func payload(_ notification: Notification) throws -> Data {
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        let registration = notification.registration
        return try encoder.encode(
            WebhookPayload(
                account: registration.account.description,
                device: registration.device.description, token: registration.token,
                unread: notification.badge, alert: notification.alert,
                collapseID: notification.collapseID,
                newest: notification.news.map { NewsText($0) }, text: notification.news?.text))
    }
}

private struct WebhookPayload: Encodable {
    var account: String
    var device: String
    var token: String
    var unread: Int
    var alert: String
    var collapseID: String
    var newest: NewsText?
    var text: String?
}
