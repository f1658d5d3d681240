import Mailbox

/// What a replay did.
struct ReplayReport: Equatable {
    /// Messages that the trace has.
    var messages = 0
    /// Messages that were stored now.
    var stored = 0
    /// Messages that an earlier replay stored.
    var duplicates = 0
    /// Lines that are no messages.
    var skippedLines = 0
    var mailboxes = 0
    var bodyBytes = 0
    var seconds = 0.0
}

/// Puts a trace into a store: in order, in groups, each message with a number of its own, so that
/// replaying the same trace again stores nothing.
struct Replayer {
    /// A group ends at this many body bytes, whatever its count.
    private static let groupBytesMaximum = 8 << 20

    private let store: any MailboxStorage
    private let device: DeviceID
    private let groupCount: Int
    private let groupMilliseconds: Int64
    private let clock: TraceClock
    private var clientSequences: [MailboxID: ClientSequence] = [:]
    private var group: [Append] = []
    private var groupBytes = 0
    /// The trace's time of the group's first message, and of its newest.
    private var groupTimes: ClosedRange<Int64> = 0...0
    private var committing: Task<[Result<AppendResult, StoreError>], any Error>?
    private var report = ReplayReport()

    /// - Parameters:
    ///   - device: who numbers the messages.
    ///   - groupCount: how many messages are handed to the store at once, from 1.
    ///   - groupMilliseconds: how far apart in the trace's time a group's messages may be.
    ///   - clock: the clock of a directory's store, which follows the trace; a daemon has its own.
    ///     All messages of a group get the time of its newest.
    init(
        store: any MailboxStorage, device: DeviceID, groupCount: Int, groupMilliseconds: Int64,
        clock: TraceClock
    ) {
        self.store = store
        self.device = device
        self.groupCount = groupCount
        self.groupMilliseconds = groupMilliseconds
        self.clock = clock
    }

    /// Replays everything that the trace has.
    ///
    /// - Throws: `badTraceLine` and what else the trace or the store fail with; then everything in
    ///   front of it is stored.
    static func replay(
        _ trace: some TraceSource, into replayer: consuming Replayer, on console: Console
    ) async throws -> ReplayReport {
        var trace = trace
        var meter = ProgressMeter("replay", counting: "messages", on: console)
        do {
            while let record = try trace.next() {
                try await replayer.add(record)
                meter.update(count: replayer.report.messages, fraction: trace.fraction)
            }
        } catch {
            try await replayer.finish()
            throw error
        }
        try await replayer.finish()
        replayer.report.seconds = meter.seconds
        replayer.report.skippedLines = trace.skippedLines
        replayer.report.mailboxes = replayer.clientSequences.count
        meter.finish()
        return replayer.report
    }

    private mutating func add(_ record: TraceRecord) async throws {
        let time = record.timeMilliseconds
        if group.isEmpty {
            groupTimes = time...time
        } else if time - groupTimes.lowerBound > groupMilliseconds {
            try await commit()
            groupTimes = time...time
        }
        let clientSequence = clientSequences[record.mailbox, default: 0] + 1
        clientSequences[record.mailbox] = clientSequence
        group.append(
            Append(
                record.mailbox,
                producer: Producer(device: device, clientSequence: clientSequence),
                body: record.body))
        groupBytes += record.body.count
        groupTimes = groupTimes.lowerBound...max(groupTimes.upperBound, time)
        report.messages += 1
        report.bodyBytes += record.body.count
        if group.count >= groupCount || groupBytes >= Self.groupBytesMaximum { try await commit() }
    }

    /// Hands the group to the store; the next one is read while this one is being committed.
    private mutating func commit() async throws {
        // One group at a time: a mailbox's messages must arrive in their order.
        try await settle()
        guard !group.isEmpty else { return }
        clock.advance(to: groupTimes.upperBound)
        let (batch, store) = (group, store)
        committing = Task { try await store.append(batch: batch) }
        group.removeAll(keepingCapacity: true)
        groupBytes = 0
    }

    private mutating func settle() async throws {
        guard let task = committing else { return }
        committing = nil
        for result in try await task.value {
            if try result.get().isDuplicate {
                report.duplicates += 1
            } else {
                report.stored += 1
            }
        }
    }

    private mutating func finish() async throws {
        try await commit()
        try await settle()
    }
}
