import ArgumentParser
import Foundation
import Mailbox
import StoreAPI

/// Where a daemon listens: `HOST:PORT`, `[IPv6]:PORT` or `unix:PATH`.
struct DaemonAddress: Equatable, Sendable {
    let target: StoreClientConfiguration.Target

    /// - Throws: `ValidationError`, which says what the forms are.
    init(_ text: String) throws {
        if text.hasPrefix("unix:") {
            let path = String(text.dropFirst(5))
            guard (1...107).contains(path.utf8.count), !path.utf8.contains(0) else {
                throw ValidationError("the path of a Unix socket has 1 to 107 bytes.")
            }
            target = .unixSocket(path: path)
            return
        }
        let host: Substring
        let port: Substring
        if text.hasPrefix("[") {
            guard let end = text.range(of: "]:") else { throw Self.malformed(text) }
            host = text[text.index(after: text.startIndex)..<end.lowerBound]
            port = text[end.upperBound...]
            guard host.contains(":") else { throw Self.malformed(text) }
        } else {
            let parts = text.split(separator: ":", omittingEmptySubsequences: false)
            guard parts.count == 2 else { throw Self.malformed(text) }
            (host, port) = (parts[0], parts[1])
        }
        let isDigits = port.utf8.allSatisfy { (UInt8(ascii: "0")...UInt8(ascii: "9")).contains($0) }
        guard !host.isEmpty, !host.contains(where: { $0.isWhitespace || $0 == "/" }), isDigits,
            let number = UInt16(port), number > 0
        else { throw Self.malformed(text) }
        target = .tcp(host: String(host), port: Int(number))
    }

    private static func malformed(_ text: String) -> ValidationError {
        ValidationError(
            "'\(text)' is no address; write HOST:PORT with a port from 1 to 65535, [IPv6]:PORT, or "
                + "unix:PATH.")
    }
}
