import Crypto
import Foundation

/// Signs tokens for accounts, with a secret that lies in a file for the server.
package struct TokenIssuer: Sendable {
    private let secret: String
    private let path: String

    /// - Parameter path: where the secret is written to.
    package init(path: String) throws {
        secret = (0..<4).map { _ in String(UInt64.random(in: .min ... .max), radix: 36) }
            .joined(separator: "-").padding(toLength: 48, withPad: "x", startingAt: 0)
        self.path = path
        try Data(secret.utf8).write(to: URL(fileURLWithPath: path))
    }

    /// What the server is told of the secret.
    package var arguments: [String] { ["--tokens-key", path, "--tokens-algorithm", "HS256"] }

    /// A token for an account.
    ///
    /// - Parameter lifeSeconds: until it expires; a negative number makes one that has expired.
    package func token(_ account: String, lifeSeconds: Double = 3_600) throws -> String {
        let expires = Int(Date().timeIntervalSince1970 + lifeSeconds)
        let header = try Self.part(["alg": "HS256", "kid": "main", "typ": "JWT"])
        let signed = try header + "." + Self.part(["sub": account, "exp": expires])
        let key = SymmetricKey(data: Data(secret.utf8))
        let code = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: key)
        return signed + "." + Self.base64(Data(code))
    }

    private static func part(_ object: [String: Any]) throws -> String {
        base64(try JSONSerialization.data(withJSONObject: object, options: .sortedKeys))
    }

    private static func base64(_ data: Data) -> String {
        data.base64EncodedString().replacingOccurrences(of: "+", with: "-")
            .replacingOccurrences(of: "/", with: "_").replacingOccurrences(of: "=", with: "")
    }
}
