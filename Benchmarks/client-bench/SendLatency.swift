import Foundation
import Logging
import Mailbox
import MailboxClient

#if canImport(Glibc)
    import Glibc
#else
    import Darwin
#endif

/// `send` until the message is safe, against plain syncs of a file in the same directory.
///
/// Blocks of both take turns, so that both see the same disk: a disk's syncs are not the same from
/// minute to minute.
struct SendLatency {
    let directory: String
    let count: Int

    private static let block = 50

    func run() async throws {
        let path = directory + "/latency"
        let client = try MailboxClient(
            path: path + ".db",
            transport: WebSocketTransport(to: ServerAddress("ws://127.0.0.1:1")),
            logger: Logger(label: "bench") { _ in SwiftLogNoOpLogHandler() }, tokens: { _ in "" })
        let descriptor = open(path + ".sync", O_RDWR | O_CREAT | O_CLOEXEC, 0o600)
        guard descriptor >= 0 else { throw BenchFailure("the file of the syncs fails") }
        defer { close(descriptor) }
        // The file has its size before: a sync then writes data and nothing of the file system's.
        let page = [UInt8](repeating: 7, count: 4_096)
        let pages = 256
        for place in 0..<pages { pwrite(descriptor, page, page.count, off_t(place * page.count)) }
        fsync(descriptor)
        let peer = try Address("bert")
        let body = [UInt8](repeating: 0x78, count: 100)
        for _ in 0..<Self.block { _ = try await client.send(body, to: peer) }
        var sends: [Duration] = []
        var syncs: [Duration] = []
        let clock = ContinuousClock()
        while sends.count < count {
            for _ in 0..<Self.block {
                let start = clock.now
                _ = try await client.send(body, to: peer)
                sends.append(clock.now - start)
            }
            for number in 0..<Self.block {
                let start = clock.now
                let place = off_t((syncs.count + number) % pages * page.count)
                pwrite(descriptor, page, page.count, place)
                guard Self.sync(descriptor) == 0 else {
                    throw BenchFailure("the file of the syncs fails")
                }
                syncs.append(clock.now - start)
            }
        }
        try await client.shutdown()
        let (send, sync) = (median(sends), median(syncs))
        say("client.send.p50_us", seconds(send) * 1e6)
        say("client.sync.p50_us", seconds(sync) * 1e6)
        say("client.send.p50_over_sync", seconds(send) / seconds(sync), digits: 2)
    }

    private static func sync(_ descriptor: Int32) -> Int32 {
        #if canImport(Glibc)
            fdatasync(descriptor)
        #else
            fcntl(descriptor, F_FULLFSYNC)
        #endif
    }
}
