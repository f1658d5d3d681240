import Foundation
import Mailbox

/// Messages that wait to be saved: those that come while others are synced share the next sync.
struct SaveQueue {
    struct Save: Sendable {
        let peer: Address
        let body: Data
        let continuation: CheckedContinuation<Result<SentMessage, ClientError>, Never>
    }

    private var waiting: [Save] = []

    /// - Returns: true when nobody was told yet that something waits.
    mutating func add(_ save: Save) -> Bool {
        waiting.append(save)
        return waiting.count == 1
    }

    mutating func take(_ limit: Int) -> [Save] {
        let taken = Array(waiting.prefix(limit))
        waiting.removeFirst(taken.count)
        return taken
    }
}

/// What came from the network and is not taken yet.
struct IncomingQueue {
    /// Beyond it what comes is dropped, and the connection with it: nothing is lost by that.
    private static let bytesMaximum = 32 << 20

    private var events: [(UInt64, TransportEvent)] = []
    private var bytes = 0
    private var isTold = false

    /// - Returns: true when nobody was told yet that something waits.
    mutating func add(_ connection: UInt64, _ event: TransportEvent) -> Bool {
        if case .messages(let messages) = event {
            let more = messages.reduce(0) { $0 + $1.count }
            if bytes + more > Self.bytesMaximum {
                events.append((connection, .closed("more came than could be stored in time")))
            } else if let last = events.last, last.0 == connection, case .messages(let old) = last.1
            {
                bytes += more
                events[events.count - 1].1 = .messages(old + messages)
            } else {
                bytes += more
                events.append((connection, event))
            }
        } else {
            events.append((connection, event))
        }
        defer { isTold = true }
        return !isTold
    }

    mutating func take() -> (UInt64, TransportEvent)? {
        guard !events.isEmpty else {
            isTold = false
            return nil
        }
        let taken = events.removeFirst()
        if case .messages(let messages) = taken.1 {
            bytes -= messages.reduce(0) { $0 + $1.count }
        }
        return taken
    }
}
