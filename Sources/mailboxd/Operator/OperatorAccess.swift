import ConnectSrv
import Foundation

/// Who may see the operator's page. Without a rule nobody may, and it is not served.
enum OperatorAccess: Sendable, Equatable {
    /// Whoever knows the token.
    case token([UInt8])
    /// Whoever is on this machine: for a first look, with tokens for any name.
    case thisMachine

    /// A token that could be guessed is none.
    static let tokenBytesMinimum = 16

    /// The rule that the settings make; nil when the page is not served.
    ///
    /// - Throws: `Failure` when the token's file has none.
    init?(_ values: SettingValues) throws {
        if let path = values.optional("operator.token") {
            self = .token(try Self.token(path))
            return
        }
        let endpoint = ConnectServerConfiguration.Endpoint(
            host: values.text("metrics.host"), port: 0)
        guard values.flag("tokens.demo"), endpoint.isLoopback else { return nil }
        self = .thisMachine
    }

    private static func token(_ path: String) throws -> [UInt8] {
        guard let text = try? String(contentsOfFile: path, encoding: .utf8) else {
            throw Failure.configuration(["operator.token: cannot read \(path)"])
        }
        let token = Array(text.utf8.reversed().drop { $0 == 10 || $0 == 13 }.reversed())
        guard token.count >= tokenBytesMinimum, token.allSatisfy({ (33...126).contains($0) })
        else {
            throw Failure.configuration([
                "operator.token: \(path) must have one line of \(tokenBytesMinimum) or more "
                    + "letters, digits and signs, without spaces"
            ])
        }
        return token
    }

    /// Whether a request may be answered.
    ///
    /// - Parameters:
    ///   - authorization: the header `Authorization`.
    ///   - host: whom the request names as its host. Without a token it must be this machine: a
    ///     name elsewhere that was made to point here would bring that site's pages along.
    func allows(authorization: String?, host: String?) -> Bool {
        switch self {
        case .token(let token):
            let prefix = "Bearer "
            guard let authorization, authorization.hasPrefix(prefix) else { return false }
            return Self.isSame(Array(authorization.utf8.dropFirst(prefix.utf8.count)), token)
        case .thisMachine:
            guard let host else { return false }
            let isBracketed = host.hasPrefix("[")
            let end: Character = isBracketed ? "]" : ":"
            let name = String(host.dropFirst(isBracketed ? 1 : 0).prefix { $0 != end })
            return name == "localhost" || name == "::1"
                || (name.hasPrefix("127.")
                    && name.allSatisfy { "0123456789.".contains($0) })
        }
    }

    /// Takes as long wherever the difference is.
    private static func isSame(_ a: [UInt8], _ b: [UInt8]) -> Bool {
        guard a.count == b.count else { return false }
        return zip(a, b).reduce(UInt8(0)) { $0 | ($1.0 ^ $1.1) } == 0
    }
}
