import Mailbox
import StoreAPI

/// From the start of an append on one connection to the watcher's event on another.
struct Watch {
    let target: StoreClientConfiguration.Target
    let seconds: Double

    func run() async throws {
        let mailbox = try MailboxID(sender: "watched-sender", receiver: "watched-receiver")
        let latencies = try await withStoreClient(StoreClientConfiguration(target)) { watcher in
            let watch = try await watcher.watch([mailbox.receiver])
            return try await withStoreClient(StoreClientConfiguration(target)) { sender in
                var events = watch.makeAsyncIterator()
                var latencies: [Duration] = []
                let start = ContinuousClock.now
                while elapsed(ContinuousClock.now - start) < seconds {
                    let begun = ContinuousClock.now
                    async let stored = sender.append(Append(mailbox, text: "hello"))
                    var seen: SequenceNumber = 0
                    let expected = SequenceNumber(latencies.count + 1)
                    while seen < expected {
                        guard let event = try await events.next() else { break }
                        if case .head(_, let head) = event { seen = head.max }
                    }
                    latencies.append(ContinuousClock.now - begun)
                    _ = try await stored
                }
                return latencies
            }
        }
        say("daemon.watch.p50_ms", milliseconds(latencies, at: 0.5), digits: 3)
        say("daemon.watch.p99_ms", milliseconds(latencies, at: 0.99), digits: 3)
    }
}
