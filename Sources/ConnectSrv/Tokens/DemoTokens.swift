internal import Foundation
internal import JWTKit
public import Mailbox

/// Mints a token for any name that asks: for a first look on one's own machine, never for others.
///
/// The key is drawn at random when the process starts and leaves it in no way: nothing that is
/// minted outlives the process.
public struct DemoTokens: Sendable {
    /// The name of the key in tokens.
    public static let keyID = "demo"
    /// How long a token is valid, in seconds.
    static let lifetimeSeconds: Int64 = 3_600

    /// To be given to `TokenVerifier` beside the configured keys.
    public let key: TokenKey
    private let signature: any JWTAlgorithm

    /// Draws a key.
    ///
    /// - Throws: `TokenKeyError` when the library takes none.
    public init() async throws(TokenKeyError) {
        let secret = (0..<TokenKey.secretBytesMinimum).map { _ in UInt8.random(in: 0...255) }
        key = try TokenKey(id: Self.keyID, secret: secret)
        let collection = JWTKeyCollection()
        await collection.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        do {
            signature = try await collection.getKey()
        } catch {
            throw TokenKeyError("the demonstration's key cannot be used")
        }
    }

    /// A token for an account.
    ///
    /// - Throws: what the signature throws.
    public func mint(_ account: Address) throws -> String {
        let header = ["alg": "HS256", "kid": Self.keyID, "typ": "JWT"]
        let expires = TokenVerifier.systemMilliseconds() / 1_000 + Self.lifetimeSeconds
        let claims = Claims(sub: account.description, exp: expires)
        let encoder = JSONEncoder()
        let signed =
            Base64URL.encode(try encoder.encode(header)) + "."
            + Base64URL.encode(try encoder.encode(claims))
        let bytes = try signature.sign(Array(signed.utf8))
        return signed + "." + Base64URL.encode(bytes)
    }

    private struct Claims: Encodable {
        let sub: String
        let exp: Int64
    }
}
