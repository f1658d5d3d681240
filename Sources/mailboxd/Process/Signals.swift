import Dispatch
import Foundation
import Synchronization

/// SIGTERM and SIGINT: the first ends the process well, the second at once.
///
/// On a queue of its own, so that a second signal ends even a process whose task threads are stuck.
final class Signals: Sendable {
    // Written once, before the first signal can come; dispatch sources are safe to share: Sendable.
    private struct Sources: @unchecked Sendable {
        var all: [any DispatchSourceSignal]
    }

    private let sources: Mutex<Sources>

    /// - Parameter first: called for the first signal.
    init(_ first: @escaping @Sendable (String) -> Void) {
        let count = Counting()
        let queue = DispatchQueue(label: "mailboxd.signals")
        let numbers = [(SIGTERM, "SIGTERM"), (SIGINT, "SIGINT")]
        let all = numbers.map { number, name in
            signal(number, SIG_IGN)
            let source = DispatchSource.makeSignalSource(signal: number, queue: queue)
            source.setEventHandler {
                if count.next() > 0 { _exit(128 + number) }
                first(name)
            }
            source.resume()
            return source
        }
        sources = Mutex(Sources(all: all))
    }
}

/// Counts.
private final class Counting: Sendable {
    private let count = Atomic<Int>(0)

    /// How many came before.
    func next() -> Int { count.wrappingAdd(1, ordering: .relaxed).oldValue }
}
