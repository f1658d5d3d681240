import Foundation
import JWTKit

@testable import ConnectSrv

/// Signs tokens as an issuer would, and as a forger would.
struct TestTokens: Sendable {
    let key: TokenKey
    let signature: any JWTAlgorithm

    /// HS256 with a secret.
    static func secret(
        _ id: String = "test", _ secret: String = "0123456789abcdef0123456789abcdef"
    ) async throws -> TestTokens {
        let collection = JWTKeyCollection()
        await collection.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        return TestTokens(
            key: try TokenKey(id: id, secret: Array(secret.utf8)),
            signature: try await collection.getKey())
    }

    static func edDSA(_ id: String) async throws -> TestTokens {
        let key = try EdDSA.PrivateKey()
        let collection = JWTKeyCollection()
        await collection.add(eddsa: key)
        return TestTokens(
            key: try TokenKey(id: id, algorithm: .edDSA, pem: key.publicKey.pemRepresentation),
            signature: try await collection.getKey())
    }

    static func es256(_ id: String) async throws -> (TestTokens, pem: String) {
        let key = ES256PrivateKey()
        let collection = JWTKeyCollection()
        await collection.add(ecdsa: key)
        let pem = key.publicKey.pemRepresentation
        return (
            TestTokens(
                key: try TokenKey(id: id, algorithm: .es256, pem: pem),
                signature: try await collection.getKey()), pem
        )
    }

    /// A token that is as it should be, unless told otherwise.
    func token(
        _ subject: String = "anna", expiresInSeconds: Int = 600, algorithm: String? = nil,
        kid: String?? = .some(nil), extra: [String: Any] = [:], header: [String: Any] = [:]
    ) throws -> String {
        var head: [String: Any] = ["alg": algorithm ?? key.algorithm.rawValue, "typ": "JWT"]
        if let kid { head["kid"] = kid ?? key.id }
        head.merge(header) { $1 }
        let expires = Int(Date().timeIntervalSince1970) + expiresInSeconds
        var claims: [String: Any] = ["sub": subject, "exp": expires]
        claims.merge(extra) { $1 }
        let signed = try Self.part(head) + "." + Self.part(claims)
        return signed + "." + Base64URL.encode(try signature.sign(Array(signed.utf8)))
    }

    static func part(_ object: [String: Any]) throws -> String {
        Base64URL.encode(
            try JSONSerialization.data(withJSONObject: object, options: .sortedKeys))
    }
}
