import Dispatch
import Foundation
import Mailbox
import Synchronization

@testable import StoreEngine

/// Faults that a test arms while the store is open.
final class ReviewFaults: Sendable {
    typealias Action = @Sendable (FaultPoint) -> StoreError?
    private let action = Mutex<Action?>(nil)

    var hooks: FaultHooks {
        FaultHooks { point in
            let action = self.action.withLock { $0 }
            return action?(point)
        }
    }

    func arm(_ action: Action?) { self.action.withLock { $0 = action } }
}

/// A value that a thread leaves for another.
final class ReviewBox<Value: Sendable>: Sendable {
    private let box: Mutex<Value?> = Mutex(nil)
    private let done = DispatchSemaphore(value: 0)

    var value: Value? { box.withLock { $0 } }

    func put(_ value: Value) {
        box.withLock { $0 = value }
        done.signal()
    }

    /// Waits for the value, at most so long.
    func wait(seconds: Int) -> Value? {
        _ = done.wait(timeout: .now() + .seconds(seconds))
        return value
    }
}

enum Review {
    static let full = StoreError(code: .storageFull, message: "injected")

    /// Small segments, and nothing that happens by itself.
    static func configuration(_ faults: ReviewFaults? = nil) -> StoreConfiguration {
        var configuration = StoreConfiguration.tiny()
        configuration.checkpointIntervalMilliseconds = 3_600_000
        configuration.checkpointJournalBytes = 1 << 20
        configuration.tailBytesMaximum = 64 << 20
        configuration.batchMessagesMaximum = 65_536
        configuration.faults = faults?.hooks
        return configuration
    }

    static func mailbox(_ number: Int) throws -> MailboxID {
        try MailboxID(sender: "sender\(number + 100_000)", receiver: "receiver")
    }
}
