import CBench
import Mailbox
import StoreEngine

/// The storage engine in this process, through its public interface alone.
struct EngineContestant: Contestant {
    var batch = 1_024
    var threads = 1

    var name: String { "engine" }
    var settings: String {
        "batch \(batch)" + (threads > 1 ? ", \(threads) threads" : "") + ", default configuration"
    }

    func append(_ workload: Workload, in directory: String) throws -> Outcome {
        try appendAndCheckpoint(workload, in: directory).append
    }

    /// The rate until the last append was durable, and that until a checkpoint behind it was done,
    /// too.
    func appendAndCheckpoint(
        _ workload: Workload, in directory: String
    ) throws -> (append: Outcome, withCheckpoint: Double) {
        let processorStart = processorSeconds()
        let store = try MailboxStore.open(at: directory + "/store")
        try fill(store, workload, 0..<workload.warmupCount)
        let started = bench_now()
        let timed = workload.warmupCount..<workload.stream.count
        try fill(store, workload, timed, deadline: started + workload.secondsMaximum)
        let seconds = bench_now() - started
        // Read here, before the checkpoint: what the peers leave undone is not in theirs either.
        let processorEnd = processorSeconds()
        try store.blocking.checkpoint()
        let secondsWithCheckpoint = bench_now() - started
        let stored = try checkHeads(store, workload)
        try store.close()
        let count = Double(stored - workload.warmupCount)
        let outcome = Outcome(
            perSecond: count / seconds, messages: stored,
            processorSeconds: processorEnd - processorStart)
        return (outcome, count / secondsWithCheckpoint)
    }

    /// Appends a range of the stream: each thread takes every n-th batch, and waits for its answer.
    func fill(
        _ store: MailboxStore, _ workload: Workload, _ range: Range<Int>, deadline: Double = 1e300
    ) throws {
        try onThreads(threads) { thread in
            var appends: [Append] = []
            appends.reserveCapacity(batch)
            var start = range.lowerBound + thread * batch
            while start < range.upperBound, bench_now() < deadline {
                appends.removeAll(keepingCapacity: true)
                for index in start..<min(start + batch, range.upperBound) {
                    appends.append(workload.append(index))
                }
                for result in try store.blocking.append(batch: appends) { _ = try result.get() }
                start += batch * threads
            }
        }
    }
}

/// Compares the heads with a count of the stream as far as it was sent; answers the messages
/// stored.
///
/// - Parameter complete: the whole stream was sent, so that every head is known.
@discardableResult
func checkHeads(
    _ store: MailboxStore, _ workload: Workload, complete: Bool = false
) throws -> Int {
    var expected = [UInt32](repeating: 0, count: workload.mailboxes.count)
    for mailbox in workload.stream { expected[Int(mailbox)] += 1 }
    var stored = 0
    for (number, mailbox) in workload.mailboxes.enumerated() {
        let head = try store.head(mailbox)
        stored += Int(head.max)
        guard complete ? head.max == expected[number] : head.max <= expected[number] else {
            throw BenchError(
                "\(mailbox) ends at \(head.max) where \(expected[number]) messages were sent")
        }
    }
    return stored
}

extension StoreConfiguration {
    /// Budgets so large that no checkpoint begins by itself.
    static let withoutCheckpoints: StoreConfiguration = {
        var configuration = StoreConfiguration()
        configuration.tailBytesMaximum = 16 << 30
        configuration.checkpointJournalBytes = 64 << 30
        configuration.checkpointIntervalMilliseconds = 3_600_000
        return configuration
    }()
}
