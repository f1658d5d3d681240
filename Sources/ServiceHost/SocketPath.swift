#if canImport(Glibc)
    internal import Glibc
#else
    internal import Darwin
#endif

/// The path of a Unix socket that a server is to listen at.
enum SocketPath {
    /// Another process takes connections there.
    struct InUse: Error, CustomStringConvertible {
        let path: String
        var description: String { "another process listens on \(path)" }
    }

    /// Refuses a path where somebody listens. The transport removes a socket that it finds in its
    /// place, and nobody would reach the one who listens there.
    ///
    /// - Returns: nil when nobody does. What else is wrong with the path is told when it is bound.
    static func refusal(of path: String) -> InUse? {
        var address = sockaddr_un()
        guard path.utf8.count < MemoryLayout.size(ofValue: address.sun_path) else { return nil }
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { $0.copyBytes(from: path.utf8) }
        #if canImport(Glibc)
            let descriptor = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        #else
            let descriptor = socket(AF_UNIX, SOCK_STREAM, 0)
        #endif
        guard descriptor >= 0 else { return nil }
        defer { close(descriptor) }
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
        return status == 0 ? InUse(path: path) : nil
    }
}
