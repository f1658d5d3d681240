internal import Mailbox

/// What the checkpoint thread is asked to do, and what it did: the state of a shard's `control`
/// monitor.
struct CheckpointControl {
    /// A threshold was passed.
    var wantsCheckpoint = false
    /// The journal is to make a segment ahead.
    var wantsSegment = false
    var isCheckpointing = false
    /// Checkpoints that ended, well or not: who waits for room looks again when it moves.
    var attempts: UInt64 = 0
    /// Through it, the data file has everything and the journal has forgotten it.
    var truncatedPosition = JournalPosition.zero
    /// Work that callers wait for.
    var tasks: [MaintenanceTask] = []
    /// No more tasks are taken; the thread ends when none is left.
    var isClosing = false
    /// The thread is gone, or is to go without another write.
    var hasStopped = false
}

/// A piece of work for the checkpoint thread, with somebody who waits for it.
final class MaintenanceTask: Sendable {
    private let work: @Sendable () throws(StoreError) -> Void
    private let completion: @Sendable (StoreError?) -> Void

    init(
        _ work: @escaping @Sendable () throws(StoreError) -> Void,
        completion: @escaping @Sendable (StoreError?) -> Void
    ) {
        self.work = work
        self.completion = completion
    }

    func run() {
        do throws(StoreError) {
            try work()
            completion(nil)
        } catch {
            completion(error)
        }
    }

    func refuse(_ error: StoreError) { completion(error) }
}
