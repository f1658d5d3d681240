import Foundation

/// Tells the service manager how far the process is, when one listens (`sd_notify`).
enum Notification {
    /// - Parameters:
    ///   - state: `READY=1`, `STOPPING=1`.
    ///   - path: what `NOTIFY_SOCKET` says: a path, or a name behind `@`.
    static func send(_ state: String, to path: String?) {
        guard let path, let first = path.utf8.first, path.utf8.count < 108 else { return }
        let descriptor = socket(AF_UNIX, Int32(SOCK_DGRAM.rawValue), 0)
        guard descriptor >= 0 else { return }
        defer { close(descriptor) }
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { target in
            target.copyBytes(from: path.utf8)
            if first == UInt8(ascii: "@") { target[0] = 0 }
        }
        let length = MemoryLayout<sa_family_t>.size + path.utf8.count
        let bytes = Array(state.utf8)
        _ = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                sendto(descriptor, bytes, bytes.count, 0, $0, socklen_t(length))
            }
        }
    }
}
