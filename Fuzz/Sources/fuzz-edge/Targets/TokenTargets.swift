import Foundation
import JWTKit

@testable import ConnectSrv

extension EdgeTarget {
    /// Any text as a token; or any header and claims, signed as they must be. Whoever is let in has
    /// an address, and time left.
    static let tokens = EdgeTarget(name: "tokens", byteCountMaximum: 1_024) {
        let claims = #"{"sub":"anna","exp":253402300799,"nbf":0,"aud":["a","b"],"iss":"i"}"#
        let header = #"{"alg":"HS256","kid":"k","typ":"JWT"}"#
        return [
            [0] + Array("a.b.c".utf8), [1] + Array("\(header)\0\(claims)".utf8),
            [1] + Array((#"{"alg":"none"}"# + "\0" + claims).utf8),
        ]
    } run: { input in
        guard let edge = try TokenEdge.shared() else { throw EdgeViolation("no key") }
        var text = String(decoding: input.dropFirst(), as: UTF8.self)
        let isSigned = (input.first ?? 0) & 1 != 0
        if isSigned {
            let parts = input.dropFirst().split(
                separator: 0, maxSplits: 1, omittingEmptySubsequences: false)
            text = try edge.sign(Array(parts[0]), parts.count > 1 ? Array(parts[1]) : [])
        }
        let verified = Result { () throws(TokenVerifier.Refusal) in
            try edge.verifier.verify(text)
        }
        guard case .success(let identity) = verified else { return }
        try EdgeViolation.unless(
            isSigned && identity.expiresMilliseconds > TokenEdge.now, "a token that may not be")
    }

    /// Any text as a key set: keys, or a typed error.
    static let keySets = EdgeTarget(name: "key-sets", byteCountMaximum: 2_048) {
        [
            #"{"keys":[{"kty":"oct","kid":"k","alg":"HS256","#
                + #""k":"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8"}]}"#,
            #"{"keys":[{"kty":"OKP","crv":"Ed25519","kid":"e","alg":"EdDSA","#
                + #""x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwIaaPcHURo"}]}"#,
            #"{"keys":[{"kty":"EC","crv":"P-256","kid":"p","alg":"ES256","#
                + #""x":"f83OJ3D2xF1Bg8vub9tLe1gHMzV76e8Tus9uPHvRVEU","#
                + #""y":"x_FEzRu9m36HLN_tue659LNpXW6pCyStikYjKIWI5a0"}]}"#,
        ].map { Array($0.utf8) }
    } run: { input in
        let read = Result { () throws(TokenKeyError) in try TokenKey.keys(jwks: input) }
        guard case .success(let keys) = read else { return }
        try EdgeViolation.unless(keys.allSatisfy { !$0.id.isEmpty }, "a key without a name")
    }
}

/// A verifier with one key, and what signs with it.
struct TokenEdge: Sendable {
    let verifier: TokenVerifier
    let signature: any JWTAlgorithm

    /// The middle of 2025: tokens of before have expired.
    static let now: Int64 = 1_750_000_000_000
    private static let made = Result { try EdgeWaiting.value { try await TokenEdge() } }

    static func shared() throws -> TokenEdge? { try made.get() }

    private init() async throws {
        let secret = [UInt8](repeating: 7, count: 32)
        verifier = try await TokenVerifier(keys: [TokenKey(id: "k", secret: secret)]) {
            TokenEdge.now
        }
        let collection = JWTKeyCollection()
        await collection.add(hmac: HMACKey(from: secret), digestAlgorithm: .sha256)
        signature = try await collection.getKey()
    }

    func sign(_ header: [UInt8], _ claims: [UInt8]) throws -> String {
        let signed = Base64URL.encode(header) + "." + Base64URL.encode(claims)
        return signed + "." + Base64URL.encode(try signature.sign(Array(signed.utf8)))
    }
}
