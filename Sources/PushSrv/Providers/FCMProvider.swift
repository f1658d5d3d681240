internal import Foundation
internal import JWTKit
internal import Mailbox
internal import StoreAPI

/// How Firebase Cloud Messaging is spoken to.
public struct FCMConfiguration: Sendable {
    /// The file with the service account, as Google's console gives it (JSON).
    public var serviceAccountPath: String
    /// Where messages go.
    public var baseURL = "https://fcm.googleapis.com"

    /// A service account.
    public init(serviceAccountPath: String) { self.serviceAccountPath = serviceAccountPath }
}

/// Firebase Cloud Messaging, HTTP v1: a service account's signed claim is exchanged for an access
/// token, which is used until shortly before it expires.
struct FCMProvider: NotificationProvider {
    private let url: String
    private let caller: HTTPCaller
    private let token: SignedToken

    /// - Throws: `invalidArgument` when the account's file is none.
    init(_ configuration: FCMConfiguration, _ caller: HTTPCaller) async throws(StoreError) {
        let path = configuration.serviceAccountPath
        guard let data = FileManager.default.contents(atPath: path),
            let account = try? JSONDecoder().decode(ServiceAccount.self, from: data),
            let key = try? Insecure.RSA.PrivateKey(pem: account.privateKey)
        else {
            throw .invalidArgument("\(path) is no service account (JSON with an RSA key)")
        }
        let keys = JWTKeyCollection()
        let keyID = JWKIdentifier(string: account.privateKeyID)
        await keys.add(rsa: key, digestAlgorithm: .sha256, kid: keyID)
        url = "\(configuration.baseURL)/v1/projects/\(account.projectID)/messages:send"
        self.caller = caller
        // Google's access tokens live for an hour.
        token = SignedToken(lifetime: .seconds(50 * 60), renewal: .seconds(10)) {
            let now = Int64(Date.now.timeIntervalSince1970)
            let claims = FCMClaims(
                iss: account.clientEmail, aud: account.tokenURI, iat: now, exp: now + 3_600)
            let assertion = try await keys.sign(claims, kid: keyID)
            return try await Self.exchange(assertion, at: account.tokenURI, caller)
        }
    }

    /// - Throws: when no access token came.
    private static func exchange(
        _ assertion: String, at url: String, _ caller: HTTPCaller
    ) async throws -> String {
        let grant = "urn%3Aietf%3Aparams%3Aoauth%3Agrant-type%3Ajwt-bearer"
        let answer = try await caller.post(
            url, headers: [("content-type", "application/x-www-form-urlencoded")],
            body: Data("grant_type=\(grant)&assertion=\(assertion)".utf8))
        guard answer.status == 200 else { throw TokenRefused(status: answer.status) }
        return try JSONDecoder().decode(AccessToken.self, from: answer.body).accessToken
    }

    func send(_ notification: Notification) async -> Delivery {
        let answer: HTTPCaller.Answer
        do {
            answer = try await caller.post(
                url,
                headers: [
                    ("authorization", "Bearer \(try await token.value())"),
                    ("content-type", "application/json"),
                ], body: try Self.payload(notification))
        } catch let error as TokenRefused {
            return .failed("the token's service answered \(error.status)")
        } catch {
            return .failed(HTTPCaller.reason(error))
        }
        if answer.status == 200 { return .accepted }
        let refusal = try? JSONDecoder().decode(FCMRefusal.self, from: answer.body)
        switch (answer.status, refusal?.code ?? "") {
        case (404, _), (_, "UNREGISTERED"): return .unregistered
        case (401, _):
            await token.renew()
            return .failed("the access token was refused")
        case (429, _): return .slowDown(answer.retryAfter ?? .seconds(60))
        case (500..., let code): return answer.retryAfter.map { .slowDown($0) } ?? .failed(code)
        case (let status, let code): return .refused("\(status) \(code)")
        }
    }

    static func payload(_ notification: Notification) throws -> Data {
        var data = ["badge": "\(notification.badge)"]
        if let news = notification.news.map({ NewsText($0) }) {
            data["sender"] = news.sender
            data["sequence"] = "\(news.sequence)"
            data["epoch"] = news.epoch
        }
        let seconds = max(0, notification.expirationSeconds - Int64(Date.now.timeIntervalSince1970))
        let text = notification.news?.text.map { String($0.prefix(1_000)) }
        let request = FCMRequest(
            message: FCMRequest.Message(
                token: notification.registration.token,
                notification: .init(
                    title: notification.news?.mailbox.sender.description,
                    body: text ?? notification.alert),
                data: data,
                android: .init(
                    priority: "HIGH", ttl: "\(seconds)s", collapseKey: notification.collapseID,
                    notification: .init(
                        tag: notification.collapseID, notificationCount: notification.badge))))
        let encoder = JSONEncoder()
        encoder.outputFormatting = [.sortedKeys, .withoutEscapingSlashes]
        return try encoder.encode(request)
    }
}

private struct TokenRefused: Error {
    var status: Int
}

private struct ServiceAccount: Decodable {
    var projectID: String
    var privateKeyID: String
    var privateKey: String
    var clientEmail: String
    var tokenURI: String

    enum CodingKeys: String, CodingKey {
        case projectID = "project_id"
        case privateKeyID = "private_key_id"
        case privateKey = "private_key"
        case clientEmail = "client_email"
        case tokenURI = "token_uri"
    }
}

private struct FCMClaims: JWTPayload {
    var iss: String
    var scope = "https://www.googleapis.com/auth/firebase.messaging"
    var aud: String
    var iat: Int64
    var exp: Int64

    func verify(using algorithm: some JWTAlgorithm) async throws {}
}

private struct AccessToken: Decodable {
    var accessToken: String

    enum CodingKeys: String, CodingKey {
        case accessToken = "access_token"
    }
}

private struct FCMRefusal: Decodable {
    struct Problem: Decodable {
        struct Detail: Decodable {
            var errorCode: String?
        }
        var status: String?
        var details: [Detail]?
    }
    var error: Problem

    /// FCM's own code where there is one, else Google's general one.
    var code: String {
        error.details?.compactMap(\.errorCode).first ?? error.status ?? ""
    }
}

private struct FCMRequest: Encodable {
    struct Text: Encodable {
        var title: String?
        var body: String
    }
    struct AndroidText: Encodable {
        var tag: String
        var notificationCount: Int

        enum CodingKeys: String, CodingKey {
            case tag
            case notificationCount = "notification_count"
        }
    }
    struct Android: Encodable {
        var priority: String
        var ttl: String
        var collapseKey: String
        var notification: AndroidText

        enum CodingKeys: String, CodingKey {
            case priority
            case ttl
            case collapseKey = "collapse_key"
            case notification
        }
    }
    struct Message: Encodable {
        var token: String
        var notification: Text
        var data: [String: String]
        var android: Android
    }
    var message: Message
}
