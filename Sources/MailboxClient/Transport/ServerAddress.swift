import Foundation

/// Where a server is: `ws://host:port/path` or `wss://host:port/path`.
public struct ServerAddress: Hashable, Sendable {
    /// Whether the connection is encrypted.
    public let isSecure: Bool
    /// The host's name or address.
    public let host: String
    /// 1 … 65 535.
    public let port: Int
    /// Begins with a slash; `/v1/connect` when the URL names none.
    public let path: String

    /// - Parameter text: a URL with the scheme `ws` or `wss`.
    /// - Throws: `invalidArgument`.
    public init(_ text: String) throws(ClientError) {
        guard let parts = URLComponents(string: text), let host = parts.host, !host.isEmpty,
            parts.scheme == "ws" || parts.scheme == "wss"
        else {
            throw ClientError(
                code: .invalidArgument,
                message: "a server's address is ws://host:port or wss://host:port")
        }
        isSecure = parts.scheme == "wss"
        self.host = host.trimmingCharacters(in: CharacterSet(charactersIn: "[]"))
        port = parts.port ?? (isSecure ? 443 : 80)
        guard (1...65_535).contains(port) else {
            throw ClientError(code: .invalidArgument, message: "a port is 1 to 65 535")
        }
        path = parts.path.isEmpty || parts.path == "/" ? "/v1/connect" : parts.path
    }
}
