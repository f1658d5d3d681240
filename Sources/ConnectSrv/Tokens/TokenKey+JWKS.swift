internal import Foundation
internal import JWTKit

extension TokenKey {
    /// The keys of a JWKS file (RFC 7517). Each needs `kid` and `alg` (`EdDSA`, `ES256`, `HS256`);
    /// private parts are not looked at.
    ///
    /// - Throws: `TokenKeyError` when the file cannot be read, or one of its keys cannot be used:
    ///   a key that is left out by mistake would lock its users out.
    public static func keys(jwksPath path: String) throws(TokenKeyError) -> [TokenKey] {
        let bytes: Data
        do {
            bytes = try Data(contentsOf: URL(filePath: path))
        } catch {
            throw TokenKeyError("the key set \(path) cannot be read")
        }
        return try keys(jwks: Array(bytes))
    }

    /// The keys of a JWKS text; as for a file.
    public static func keys(jwks bytes: [UInt8]) throws(TokenKeyError) -> [TokenKey] {
        let set: KeySet
        do {
            set = try JSONDecoder().decode(KeySet.self, from: Data(bytes))
        } catch {
            throw TokenKeyError("the key set is no JSON Web Key Set")
        }
        var keys: [TokenKey] = []
        for entry in set.keys { keys.append(try entry.key) }
        return keys
    }

    private struct KeySet: Decodable {
        let keys: [Entry]
    }

    /// A key as RFC 7517, 7518 and 8037 write it.
    private struct Entry: Decodable {
        let kid: String?
        let alg: String?
        let kty: String
        let crv: String?
        let x: String?
        let y: String?
        let k: String?

        var key: TokenKey {
            get throws(TokenKeyError) {
                guard let kid, !kid.isEmpty else {
                    throw TokenKeyError("a key of the key set has no kid")
                }
                guard let alg, let algorithm = Algorithm(rawValue: alg) else {
                    throw TokenKeyError(
                        "key \(kid) of the key set must say its alg: EdDSA, ES256 or HS256")
                }
                do {
                    switch (algorithm, kty, crv) {
                    case (.edDSA, "OKP", "Ed25519"):
                        let key = try EdDSA.PublicKey(x: x ?? "", curve: .ed25519)
                        return TokenKey(id: kid, algorithm: .edDSA, material: .edDSA(key))
                    case (.es256, "EC", "P-256"):
                        let key = try ES256PublicKey(parameters: (x ?? "", y ?? ""))
                        return TokenKey(id: kid, algorithm: .es256, material: .es256(key))
                    case (.hs256, "oct", _):
                        guard let secret = Base64URL.decode(k ?? "") else { break }
                        return try TokenKey(id: kid, secret: secret)
                    default: break
                    }
                } catch let error as TokenKeyError {
                    throw error
                } catch {
                    throw TokenKeyError("key \(kid) of the key set is no key for \(alg)")
                }
                throw TokenKeyError("key \(kid) of the key set is no key for \(alg)")
            }
        }
    }
}

/// Base 64 with the alphabet for URLs and without padding (RFC 7515, section 2).
enum Base64URL {
    /// - Returns: nil when the text is none.
    static func decode(_ text: some StringProtocol) -> [UInt8]? {
        var standard = ""
        standard.reserveCapacity(text.utf8.count + 3)
        for character in text.unicodeScalars {
            switch character {
            case "-": standard.append("+")
            case "_": standard.append("/")
            case "+", "/", "=": return nil
            default: standard.unicodeScalars.append(character)
            }
        }
        while standard.utf8.count % 4 != 0 { standard.append("=") }
        return Data(base64Encoded: standard).map { Array($0) }
    }

    static func encode(_ bytes: some Sequence<UInt8>) -> String {
        var text = ""
        for character in Data(bytes).base64EncodedString() {
            switch character {
            case "+": text.append("-")
            case "/": text.append("_")
            case "=": break
            default: text.append(character)
            }
        }
        return text
    }
}
