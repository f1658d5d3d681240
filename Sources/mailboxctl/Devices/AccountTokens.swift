import Crypto
import Foundation
import Mailbox

/// Tokens for accounts, signed with a secret of one's own server: HS256 alone.
struct AccountTokens: Sendable {
    /// How long a token is valid, in seconds.
    private static let lifetimeSeconds = 86_400
    private static let secretBytes = 32...4_096

    private let key: SymmetricKey
    private let keyID: String

    /// - Parameters:
    ///   - path: the secret's file, as `mailboxd` has it in `tokens.key`; a line end behind it is
    ///     not part of it.
    ///   - keyID: as in `tokens.keyId`.
    /// - Throws: `noSuchFile` and its like; `invalidArgument` when it is no secret.
    init(path: String, keyID: String) throws(Failure) {
        let file = try FileSource(path: path)
        var bytes: [UInt8] = []
        while bytes.count <= Self.secretBytes.upperBound {
            let part = try file.read(atMost: Self.secretBytes.upperBound + 1)
            if part.isEmpty { break }
            bytes += part
        }
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        guard Self.secretBytes.contains(bytes.count) else {
            throw .invalidArgument(
                "\(path) holds no secret for HS256: it has 32 to 4096 bytes")
        }
        key = SymmetricKey(data: bytes)
        self.keyID = keyID
    }

    /// A token for an account, from now on.
    func mint(_ account: Address) throws -> String {
        let encoder = JSONEncoder()
        let header = try encoder.encode(["alg": "HS256", "kid": keyID, "typ": "JWT"])
        let expires = Int(Date.now.timeIntervalSince1970) + Self.lifetimeSeconds
        let claims = try encoder.encode(Claims(sub: account.description, exp: expires))
        let signed = Self.base64URL(header) + "." + Self.base64URL(claims)
        let code = HMAC<SHA256>.authenticationCode(for: Data(signed.utf8), using: key)
        return signed + "." + Self.base64URL(Data(code))
    }

    private struct Claims: Encodable {
        let sub: String
        let exp: Int
    }

    private static func base64URL(_ data: Data) -> String {
        data.base64EncodedString().replacing("+", with: "-").replacing("/", with: "_")
            .replacing("=", with: "")
    }
}
