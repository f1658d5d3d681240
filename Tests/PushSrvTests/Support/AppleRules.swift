import Foundation
import JWTKit
import Synchronization

/// Apple's rules for a request, as its documentation states them: what breaks one is refused.
struct AppleRules: Sendable {
    private struct Claims: JWTPayload {
        var iss: String
        var iat: Int64

        func verify(using algorithm: some JWTAlgorithm) async throws {}
    }

    static let keyID = "ABCDEFGHIJ"
    static let teamID = "TEAM123456"

    /// Each problem that a request has.
    static func problems(_ request: LocalService.Request) async throws -> [String] {
        var problems: [String] = []
        if !request.isHTTP2 { problems.append("not HTTP/2") }
        if !request.path.hasPrefix("/3/device/") { problems.append("path") }
        let token = request.path.dropFirst("/3/device/".count)
        if token.isEmpty || !token.allSatisfy(\.isHexDigit) { problems.append("BadDeviceToken") }
        if request.header("apns-topic").isEmpty { problems.append("MissingTopic") }
        if !["alert", "background"].contains(request.header("apns-push-type")) {
            problems.append("InvalidPushType")
        }
        if !["10", "5", "1"].contains(request.header("apns-priority")) {
            problems.append("BadPriority")
        }
        if (Int64(request.header("apns-expiration")) ?? 0) < Int64(Date.now.timeIntervalSince1970) {
            problems.append("BadExpirationDate")
        }
        if !(1...64).contains(request.header("apns-collapse-id").utf8.count) {
            problems.append("BadCollapseId")
        }
        if request.body.isEmpty { problems.append("PayloadEmpty") }
        if request.body.count > 4_096 { problems.append("PayloadTooLarge") }
        let payload = try? JSONSerialization.jsonObject(with: request.body) as? [String: Any]
        if payload?["aps"] == nil { problems.append("no aps") }
        return problems + (try await tokenProblems(request.header("authorization")))
    }

    private static func tokenProblems(_ header: String) async throws -> [String] {
        guard header.hasPrefix("bearer ") else { return ["MissingProviderToken"] }
        let keys = JWTKeyCollection()
        let key = try ES256PrivateKey(pem: TestKeys.key)
        await keys.add(ecdsa: key.publicKey, kid: JWKIdentifier(string: keyID))
        let text = String(header.dropFirst("bearer ".count))
        guard let claims = try? await keys.verify(text, as: Claims.self) else {
            return ["InvalidProviderToken"]
        }
        let age = Int64(Date.now.timeIntervalSince1970) - claims.iat
        return claims.iss == teamID && (-5...3_600).contains(age) ? [] : ["ExpiredProviderToken"]
    }
}
