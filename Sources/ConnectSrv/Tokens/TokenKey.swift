internal import Foundation
internal import JWTKit

/// A key that tokens are signed with, and the one algorithm that it is for.
///
/// The algorithm is the key's, never the token's: a token that names another one is refused, which
/// is what keeps a public key from being used as an HMAC secret.
public struct TokenKey: Sendable {
    /// An algorithm that tokens may be signed with.
    public enum Algorithm: String, Hashable, Sendable, CaseIterable {
        /// Ed25519.
        case edDSA = "EdDSA"
        /// ECDSA over P-256 with SHA-256.
        case es256 = "ES256"
        /// HMAC with SHA-256.
        case hs256 = "HS256"
    }

    /// The fewest bytes of an HMAC secret: those of the hash (RFC 7518, section 3.2).
    public static let secretBytesMinimum = 32

    /// The key's name in a token's header (`kid`).
    public let id: String
    /// What it is for.
    public let algorithm: Algorithm
    let material: Material

    enum Material: Sendable {
        case edDSA(EdDSA.PublicKey)
        case es256(ES256PublicKey)
        case hs256(HMACKey)
    }

    /// The key of a file: a public key as PEM, or, for HS256, the secret's bytes themselves (a line
    /// end behind them is not part of it).
    ///
    /// - Throws: `TokenKeyError`, which never shows the key.
    public init(id: String, algorithm: Algorithm, path: String) throws(TokenKeyError) {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw TokenKeyError("the key file \(path) cannot be read")
        }
        switch algorithm {
        case .hs256: try self.init(id: id, secret: Self.trimmed(bytes))
        case .edDSA, .es256:
            try self.init(
                id: id, algorithm: algorithm, pem: String(decoding: bytes, as: UTF8.self))
        }
    }

    /// A public key as PEM.
    ///
    /// - Throws: `TokenKeyError` when it is none of this algorithm's.
    public init(id: String, algorithm: Algorithm, pem: String) throws(TokenKeyError) {
        do {
            switch algorithm {
            case .edDSA: material = .edDSA(try EdDSA.PublicKey(pem: pem))
            case .es256: material = .es256(try ES256PublicKey(pem: pem))
            case .hs256: throw TokenKeyError("a secret for HS256 is no PEM file")
            }
        } catch let error as TokenKeyError {
            throw error
        } catch {
            throw TokenKeyError(
                "key \(id) is no PEM public key for \(algorithm.rawValue)")
        }
        self.id = id
        self.algorithm = algorithm
    }

    /// A secret for HS256.
    ///
    /// - Throws: `TokenKeyError` when it has fewer than 32 bytes.
    public init(id: String, secret: [UInt8]) throws(TokenKeyError) {
        guard secret.count >= Self.secretBytesMinimum else {
            throw TokenKeyError(
                "secret \(id) has \(secret.count) bytes; HS256 needs at least "
                    + "\(Self.secretBytesMinimum)")
        }
        self.id = id
        algorithm = .hs256
        material = .hs256(HMACKey(from: secret))
    }

    init(id: String, algorithm: Algorithm, material: Material) {
        self.id = id
        self.algorithm = algorithm
        self.material = material
    }

    private static func trimmed(_ bytes: Data) -> [UInt8] {
        var bytes = Array(bytes)
        if bytes.last == UInt8(ascii: "\n") { bytes.removeLast() }
        if bytes.last == UInt8(ascii: "\r") { bytes.removeLast() }
        return bytes
    }
}

/// Why a key cannot be used. Never shows the key.
public struct TokenKeyError: Error, CustomStringConvertible {
    /// What is wrong, and with which key.
    public let description: String

    init(_ description: String) { self.description = description }
}
