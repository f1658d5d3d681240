internal import Foundation
internal import JWTKit
public import Mailbox

/// Says whose token it is, or why it is none.
public struct TokenVerifier: Sendable {
    /// What tokens must say beside their signature.
    public struct Requirements: Hashable, Sendable {
        /// The `iss` claim must be this; nil takes any.
        public var issuer: String?
        /// The `aud` claim must be this, or have it among its values; nil takes any.
        public var audience: String?
        /// How far clocks may be apart, in milliseconds, from 0.
        public var leewayMilliseconds: Int64 = 0

        /// Nothing beside signature, times and subject.
        public init() {}
    }

    /// Who a token is for, and until when.
    public struct Identity: Hashable, Sendable {
        /// The subject.
        public var account: Address
        /// When it ends, in milliseconds since 1970.
        public var expiresMilliseconds: Int64
    }

    private struct Key: Sendable {
        let algorithm: TokenKey.Algorithm
        let signature: any JWTAlgorithm
    }

    /// The most bytes of a token.
    public static let tokenBytesMaximum = 8_192

    private let keys: [String: Key]
    private let requirements: Requirements
    private let now: @Sendable () -> Int64

    /// - Parameters:
    ///   - keys: at least one; their names must differ.
    ///   - requirements: what tokens must say.
    ///   - now: milliseconds since 1970.
    /// - Throws: `TokenKeyError` when there is no key, or two have one name.
    public init(
        keys: [TokenKey], requirements: Requirements = Requirements(),
        now: @escaping @Sendable () -> Int64 = TokenVerifier.systemMilliseconds
    ) async throws(TokenKeyError) {
        guard !keys.isEmpty else {
            throw TokenKeyError("no key for tokens is configured; nobody could connect")
        }
        var table: [String: Key] = [:]
        for key in keys {
            guard table[key.id] == nil else {
                throw TokenKeyError("two keys for tokens are named \(key.id)")
            }
            table[key.id] = Key(
                algorithm: key.algorithm, signature: try await Self.signature(key))
        }
        self.keys = table
        self.requirements = requirements
        self.now = now
    }

    /// The system's clock, in milliseconds since 1970.
    public static func systemMilliseconds() -> Int64 {
        Int64(Date().timeIntervalSince1970 * 1_000)
    }

    /// Checks a token: its key, algorithm, signature, times, issuer, audience and subject.
    ///
    /// - Throws: `Refusal`, which never shows the token.
    public func verify(_ token: String) throws(Refusal) -> Identity {
        guard token.utf8.count <= Self.tokenBytesMaximum else { throw .malformed }
        let parts = token.split(separator: ".", omittingEmptySubsequences: false)
        guard parts.count == 3,
            let headerBytes = Base64URL.decode(parts[0]),
            let claimBytes = Base64URL.decode(parts[1]),
            let signature = Base64URL.decode(parts[2]),
            let header = try? JSONDecoder().decode(Header.self, from: Data(headerBytes))
        else { throw .malformed }
        let key = try key(for: header)
        let signed = Array(token.utf8.prefix(parts[0].utf8.count + 1 + parts[1].utf8.count))
        guard (try? key.signature.verify(signature, signs: signed)) == true else {
            throw .signature
        }
        guard let claims = try? JSONDecoder().decode(Claims.self, from: Data(claimBytes)) else {
            throw .malformed
        }
        return try check(claims)
    }

    private func key(for header: Header) throws(Refusal) -> Key {
        // What must be understood and is not (RFC 7515, section 4.1.11).
        guard !header.hasCritical else { throw .critical }
        let key: Key?
        if let id = header.kid {
            key = keys[id]
        } else {
            key = keys.count == 1 ? keys.first?.value : nil
        }
        guard let key else { throw .unknownKey }
        guard header.alg == key.algorithm.rawValue else { throw .algorithm }
        return key
    }

    private func check(_ claims: Claims) throws(Refusal) -> Identity {
        let leeway = requirements.leewayMilliseconds
        guard let expires = claims.exp.flatMap(Self.milliseconds) else { throw .noExpiry }
        guard now() < expires + leeway else { throw .expired }
        if let notBefore = claims.nbf {
            guard let begins = Self.milliseconds(notBefore) else { throw .malformed }
            guard now() >= begins - leeway else { throw .notYetValid }
        }
        if let issuer = requirements.issuer, claims.iss != issuer { throw .issuer }
        if let audience = requirements.audience, claims.aud?.values.contains(audience) != true {
            throw .audience
        }
        guard let subject = claims.sub, let account = try? Address(subject) else {
            throw .subject
        }
        return Identity(account: account, expiresMilliseconds: expires + leeway)
    }

    /// Seconds since 1970, as claims count; nil when that is no time of this world.
    private static func milliseconds(_ seconds: Double) -> Int64? {
        guard seconds >= 0, seconds <= 253_402_300_799 else { return nil }
        return Int64(seconds * 1_000)
    }

    /// The library's own way from a key to what checks its signatures.
    private static func signature(
        _ key: TokenKey
    ) async throws(TokenKeyError) -> any JWTAlgorithm {
        let collection = JWTKeyCollection()
        switch key.material {
        case .edDSA(let material): await collection.add(eddsa: material)
        case .es256(let material): await collection.add(ecdsa: material)
        case .hs256(let material): await collection.add(hmac: material, digestAlgorithm: .sha256)
        }
        do {
            return try await collection.getKey()
        } catch {
            throw TokenKeyError("key \(key.id) cannot be used for \(key.algorithm.rawValue)")
        }
    }
}

extension TokenVerifier {
    /// Why a token is refused. Never shows the token.
    public struct Refusal: Error, Hashable, Sendable, CustomStringConvertible {
        /// In one line, for people.
        public let description: String

        private init(_ description: String) { self.description = description }

        static let malformed = Refusal("the token is no signed JSON Web Token")
        static let critical = Refusal("the token needs what this server does not know (crit)")
        static let unknownKey = Refusal("the token's key (kid) is not known here")
        static let algorithm = Refusal("the token's algorithm is not the one of its key")
        static let signature = Refusal("the token's signature is not its key's")
        static let noExpiry = Refusal("the token has no expiry (exp)")
        static let expired = Refusal("the token has expired; connect with another")
        static let notYetValid = Refusal("the token is not valid yet (nbf)")
        static let issuer = Refusal("the token is of another issuer (iss)")
        static let audience = Refusal("the token is for others (aud)")
        static let subject = Refusal("the token's subject (sub) is no address")
    }

    private struct Header: Decodable {
        let alg: String?
        let kid: String?
        let hasCritical: Bool

        private enum Keys: String, CodingKey { case alg, kid, crit }

        init(from decoder: any Decoder) throws {
            let container = try decoder.container(keyedBy: Keys.self)
            alg = try container.decodeIfPresent(String.self, forKey: .alg)
            kid = try container.decodeIfPresent(String.self, forKey: .kid)
            hasCritical = container.contains(.crit)
        }
    }

    private struct Claims: Decodable {
        let sub: String?
        let exp: Double?
        let nbf: Double?
        let iss: String?
        let aud: Audience?
    }

    /// One value, or several.
    private struct Audience: Decodable {
        let values: [String]

        init(from decoder: any Decoder) throws {
            let container = try decoder.singleValueContainer()
            if let one = try? container.decode(String.self) {
                values = [one]
            } else {
                values = try container.decode([String].self)
            }
        }
    }
}
