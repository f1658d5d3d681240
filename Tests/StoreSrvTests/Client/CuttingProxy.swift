import Foundation
import MailboxTesting
import Synchronization

/// Stands between clients and a server on Unix sockets, and cuts each connection after some bytes
/// that a seed decides, wherever in a frame that is.
final class CuttingProxy: Sendable {
    private struct State {
        var random: SeededRandom
        var open: Set<Int32> = []
        var isClosed = false
        var isBlocked = false
        /// Ends of connections that are open, and carry nothing any more.
        var silenced: Set<Int32> = []
        /// The bytes that a connection may carry to the client; nil carries all.
        var range: ClosedRange<Int>?
        var cuts = 0
    }

    private let listener: Int32
    private let serverPath: String
    private let state: Mutex<State>

    /// Listens at `path`, and carries to the server at `serverPath`.
    init(
        path: String, serverPath: String, seed: UInt64 = 0, cutAfter range: ClosedRange<Int>? = nil
    ) throws {
        self.serverPath = serverPath
        state = Mutex(State(random: SeededRandom(seed: seed), range: range))
        listener = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
        let bound = Self.withAddress(path) { bind(listener, $0, $1) }
        guard listener >= 0, bound == 0, listen(listener, 16) == 0 else {
            throw CocoaError(.fileNoSuchFile)
        }
        Thread.detachNewThread { [self] in accept() }
    }

    /// How many connections were cut.
    var cuts: Int { state.withLock { $0.cuts } }

    /// Cuts no more connections.
    func spare() { state.withLock { $0.range = nil } }

    /// Cuts every connection, and cuts new ones at once until `unblock`.
    func block() {
        let open = state.withLock { state in
            state.isBlocked = true
            return state.open
        }
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
    }

    /// Loses whatever comes on the connections of this moment, and leaves them open: what a network
    /// does that is cut in between. New ones are carried.
    func silence() { state.withLock { $0.silenced = $0.open } }

    /// Carries again.
    func unblock() { state.withLock { $0.isBlocked = false } }

    /// Cuts every connection, and takes no more.
    func close() {
        let open = state.withLock { state in
            state.isClosed = true
            return state.open
        }
        for descriptor in open { shutdown(descriptor, Int32(SHUT_RDWR)) }
        shutdown(listener, Int32(SHUT_RDWR))
        Foundation.close(listener)
    }

    private static func withAddress<Value>(
        _ path: String, _ body: (UnsafePointer<sockaddr>, socklen_t) -> Value
    ) -> Value {
        var address = sockaddr_un()
        address.sun_family = sa_family_t(AF_UNIX)
        withUnsafeMutableBytes(of: &address.sun_path) { memory in
            for (index, byte) in path.utf8.enumerated() where index < memory.count - 1 {
                memory[index] = byte
            }
        }
        return withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                body($0, socklen_t(MemoryLayout<sockaddr_un>.size))
            }
        }
    }

    private func accept() {
        while true {
            let client = Foundation.accept(listener, nil, nil)
            guard client >= 0 else { return }
            if state.withLock({ $0.isBlocked }) {
                Foundation.close(client)
                continue
            }
            let server = socket(AF_UNIX, Int32(SOCK_STREAM.rawValue), 0)
            guard Self.withAddress(serverPath, { connect(server, $0, $1) }) == 0 else {
                Foundation.close(client)
                Foundation.close(server)
                continue
            }
            let isOpen = state.withLock { state in
                guard !state.isClosed, !state.isBlocked else { return false }
                state.open.formUnion([client, server])
                return true
            }
            guard isOpen else {
                Foundation.close(client)
                Foundation.close(server)
                continue
            }
            let pair = Pair(client: client, server: server)
            Thread.detachNewThread { [self] in carry(from: client, to: server, nil, pair) }
            let budget = state.withLock { state in
                state.range.map { Int.random(in: $0, using: &state.random) }
            }
            Thread.detachNewThread { [self] in carry(from: server, to: client, budget, pair) }
        }
    }

    /// The two ends of a connection, closed when both directions are done.
    private final class Pair: Sendable {
        let client: Int32
        let server: Int32
        let done = Mutex(0)

        init(client: Int32, server: Int32) {
            self.client = client
            self.server = server
        }
    }

    private func carry(from source: Int32, to target: Int32, _ budget: Int?, _ pair: Pair) {
        var left = budget ?? .max
        var buffer = [UInt8](repeating: 0, count: 16 << 10)
        while left > 0 {
            let count = recv(source, &buffer, min(buffer.count, left), 0)
            guard count > 0 else { break }
            if state.withLock({ $0.silenced.contains(source) }) { continue }
            left -= count
            var sent = 0
            while sent < count {
                let written = buffer.withUnsafeBytes {
                    send(target, $0.baseAddress! + sent, count - sent, Int32(MSG_NOSIGNAL))
                }
                guard written > 0 else { break }
                sent += written
            }
            if sent < count { break }
        }
        if left == 0 { state.withLock { $0.cuts += 1 } }
        shutdown(source, Int32(SHUT_RDWR))
        shutdown(target, Int32(SHUT_RDWR))
        let isLast = pair.done.withLock { done in
            done += 1
            return done == 2
        }
        guard isLast else { return }
        state.withLock { state in
            state.open.subtract([pair.client, pair.server])
            state.silenced.subtract([pair.client, pair.server])
        }
        Foundation.close(pair.client)
        Foundation.close(pair.server)
    }
}
