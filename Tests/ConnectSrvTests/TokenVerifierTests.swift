import Foundation
import Mailbox
import Testing

@testable import ConnectSrv

@Suite("tokens")
struct TokenVerifierTests {
    private func refusal(
        _ verifier: TokenVerifier, _ token: String
    ) -> TokenVerifier.Refusal? {
        do throws(TokenVerifier.Refusal) {
            _ = try verifier.verify(token)
            return nil
        } catch {
            return error
        }
    }

    @Test("each algorithm's own tokens are taken, and say who it is and until when")
    func taken() async throws {
        let (es256, _) = try await TestTokens.es256("e")
        let signers = [try await TestTokens.secret("h"), try await TestTokens.edDSA("d"), es256]
        let verifier = try await TokenVerifier(keys: signers.map(\.key))
        for signer in signers {
            let identity = try verifier.verify(try signer.token("anna ä"))
            #expect(identity.account == (try Address("anna ä")))
            #expect(identity.expiresMilliseconds > TokenVerifier.systemMilliseconds())
        }
    }

    @Test("a token without kid is taken when there is one key, and only then")
    func withoutKeyID() async throws {
        let one = try await TestTokens.secret("h")
        let other = try await TestTokens.edDSA("d")
        let token = try one.token(kid: nil)
        #expect(refusal(try await TokenVerifier(keys: [one.key]), token) == nil)
        #expect(
            refusal(try await TokenVerifier(keys: [one.key, other.key]), token) == .unknownKey)
    }

    @Test("what is forged, stale or another's is refused")
    func refused() async throws {
        let (es256, pem) = try await TestTokens.es256("e")
        let secret = try await TestTokens.secret("h")
        let verifier = try await TokenVerifier(keys: [secret.key, es256.key])
        let good = try secret.token()
        let parts = good.split(separator: ".").map(String.init)
        let none = try TestTokens.part(["alg": "none", "kid": "h"])
        let other = try TestTokens.part(["sub": "bob", "exp": 9_999_999_999])
        // The public key's own text as an HMAC secret: the classical confusion.
        let confused = try await TestTokens.secret("e", pem)
        let cases: [(String, TokenVerifier.Refusal)] = [
            ("", .malformed), ("a.b", .malformed), ("a.b.c.d", .malformed),
            (String(repeating: "a", count: 9_000), .malformed),
            (none + "." + parts[1] + ".", .algorithm),
            (none + "." + parts[1] + "." + parts[2], .algorithm),
            (parts[0] + "." + other + "." + parts[2], .signature),
            (parts[0] + "." + parts[1] + ".", .signature),
            (parts[0] + "." + parts[1] + "." + String(parts[2].reversed()), .signature),
            (try confused.token(algorithm: "HS256"), .algorithm),
            (try confused.token(algorithm: "ES256"), .signature),
            (try secret.token(algorithm: "hs256"), .algorithm),
            (try secret.token(algorithm: "HS512"), .algorithm),
            (try es256.token(kid: "h"), .algorithm),
            (try secret.token(kid: "nobody"), .unknownKey),
            (
                try await TestTokens.secret("h", "another secret of 32 bytes or so").token(),
                .signature
            ),
            (try secret.token(expiresInSeconds: -1), .expired),
            (try secret.token(extra: ["exp": NSNull()]), .noExpiry),
            (try secret.token(extra: ["exp": 1e300]), .noExpiry),
            (try secret.token(extra: ["exp": "tomorrow"]), .malformed),
            (try secret.token(extra: ["nbf": 9_999_999_999]), .notYetValid),
            (try secret.token(""), .subject),
            (try secret.token("line\nfeed"), .subject),
            (try secret.token(String(repeating: "x", count: 65)), .subject),
            (try secret.token(extra: ["sub": NSNull()]), .subject),
            (try secret.token(header: ["crit": ["b64"]]), .critical),
        ]
        for (token, expected) in cases {
            #expect(refusal(verifier, token) == expected, "\(expected)")
        }
        #expect(refusal(verifier, good) == nil)
    }

    @Test("issuer and audience are compared where they are configured")
    func requirements() async throws {
        let secret = try await TestTokens.secret("h")
        var requirements = TokenVerifier.Requirements()
        requirements.issuer = "us"
        requirements.audience = "mail"
        let verifier = try await TokenVerifier(keys: [secret.key], requirements: requirements)
        let us: [String: Any] = ["iss": "us", "aud": "mail"]
        #expect(refusal(verifier, try secret.token(extra: us)) == nil)
        let several: [String: Any] = ["iss": "us", "aud": ["x", "mail"]]
        #expect(refusal(verifier, try secret.token(extra: several)) == nil)
        #expect(refusal(verifier, try secret.token(extra: ["aud": "mail"])) == .issuer)
        let others: [String: Any] = ["iss": "us", "aud": "x"]
        #expect(refusal(verifier, try secret.token(extra: others)) == .audience)
    }

    @Test("a key set brings its keys, and one that cannot be used is named")
    func keySet() async throws {
        let secret = Base64URL.encode(Array("0123456789abcdef0123456789abcdef".utf8))
        let set = """
            {"keys":[{"kty":"oct","kid":"test","alg":"HS256","k":"\(secret)"},
            {"kty":"OKP","crv":"Ed25519","kid":"d","alg":"EdDSA",
             "x":"11qYAYKxCrfVS_7TyWQHOg7hcvPapiMlrwaaPFaTzmE"}]}
            """
        let keys = try TokenKey.keys(jwks: Array(set.utf8))
        #expect(keys.map(\.id) == ["test", "d"])
        let verifier = try await TokenVerifier(keys: keys)
        #expect(refusal(verifier, try await TestTokens.secret().token()) == nil)
        for broken in [
            "", "{}", #"{"keys":[{"kty":"oct","alg":"HS256","k":"AA"}]}"#,
            #"{"keys":[{"kty":"oct","kid":"a","k":"AA"}]}"#,
            #"{"keys":[{"kty":"oct","kid":"a","alg":"HS256","k":"AA"}]}"#,
            #"{"keys":[{"kty":"RSA","kid":"a","alg":"RS256"}]}"#,
            #"{"keys":[{"kty":"oct","kid":"a","alg":"ES256","k":"\#(secret)"}]}"#,
        ] {
            #expect(throws: TokenKeyError.self) { try TokenKey.keys(jwks: Array(broken.utf8)) }
        }
    }

    @Test("no keys, two of one name, and a short secret are refused at the start")
    func keys() async throws {
        await #expect(throws: TokenKeyError.self) { try await TokenVerifier(keys: []) }
        let key = try await TestTokens.secret("h").key
        await #expect(throws: TokenKeyError.self) { try await TokenVerifier(keys: [key, key]) }
        #expect(throws: TokenKeyError.self) {
            try TokenKey(id: "h", secret: Array(repeating: 1, count: 31))
        }
        #expect(throws: TokenKeyError.self) {
            try TokenKey(id: "h", algorithm: .es256, pem: "-----BEGIN PUBLIC KEY-----")
        }
    }

    @Test("a demonstration's tokens are its own")
    func demo() async throws {
        let demo = try await DemoTokens()
        let other = try await DemoTokens()
        let verifier = try await TokenVerifier(keys: [demo.key])
        let anna = try Address("anna")
        #expect(try verifier.verify(try demo.mint(anna)).account == anna)
        #expect(refusal(verifier, try other.mint(anna)) == .signature)
    }
}
