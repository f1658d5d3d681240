internal import NIOCore

/// Where connections come from, as far as limits care: an IPv4 address, or the /64 network of an
/// IPv6 one, of which a single customer has all addresses.
struct PeerAddress: Hashable, Sendable {
    let text: String

    init(_ address: SocketAddress?) { self.init(address?.ipAddress ?? "") }

    /// - Parameter ipAddress: as `inet_ntop` writes it.
    init(_ ipAddress: String) {
        if ipAddress.contains(".") {
            // Also an IPv4 address in IPv6's clothes: `::ffff:192.0.2.1`.
            text = String(ipAddress.split(separator: ":").last ?? "")
        } else {
            text = Self.network(ipAddress)
        }
    }

    /// The first four of the eight groups.
    private static func network(_ address: String) -> String {
        let address = address.prefix { $0 != "%" }
        var groups = address.split(separator: ":", omittingEmptySubsequences: false)
        if let gap = groups.firstIndex(of: ""), groups.count > 1 {
            // `::1` and `1::` have an empty group at their end, too.
            groups.removeAll { $0.isEmpty }
            let zeros = max(0, 8 - groups.count)
            groups.insert(
                contentsOf: Array(repeating: "0", count: zeros), at: min(gap, groups.count))
        }
        return groups.prefix(4).joined(separator: ":")
    }
}
