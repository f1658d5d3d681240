import StoreAPI

/// Addresses of other roles as people write them: `HOST:PORT` or `unix:PATH`, with commas between.
enum PeerAddresses {
    /// - Returns: nil when a part is none; empty for an empty text.
    static func parse(_ text: String) -> [StoreClientConfiguration.Target]? {
        var targets: [StoreClientConfiguration.Target] = []
        for part in text.split(separator: ",", omittingEmptySubsequences: false) {
            let word = part.drop { $0 == " " }
            if word.hasPrefix("unix:") {
                let path = String(word.dropFirst(5))
                guard !path.isEmpty else { return nil }
                targets.append(.unixSocket(path: path))
                continue
            }
            guard let colon = word.lastIndex(of: ":"),
                let port = Int(word[word.index(after: colon)...]), (1...65_535).contains(port)
            else { return nil }
            var host = String(word[..<colon])
            if host.hasPrefix("["), host.hasSuffix("]") {
                host = String(host.dropFirst().dropLast())
            }
            guard !host.isEmpty else { return nil }
            targets.append(.tcp(host: host, port: port))
        }
        return targets
    }

    /// One target for several servers that are as good as one another.
    ///
    /// - Returns: nil when they are no IPv4 addresses, which several must be.
    static func anyOf(
        _ targets: [StoreClientConfiguration.Target]
    ) -> StoreClientConfiguration.Target? {
        if targets.count == 1 { return targets.first }
        var endpoints: [StoreClientConfiguration.Target.Endpoint] = []
        for target in targets {
            guard case .tcp(let host, let port) = target, isIPv4(host) else { return nil }
            endpoints.append(.init(host: host, port: port))
        }
        return endpoints.isEmpty ? nil : .anyOf(endpoints)
    }

    private static func isIPv4(_ host: String) -> Bool {
        let parts = host.split(separator: ".", omittingEmptySubsequences: false)
        return parts.count == 4 && parts.allSatisfy { UInt8($0) != nil }
    }
}
