internal import LMDB
internal import Mailbox
internal import Synchronization

extension Shard {
    /// What the checkpoint thread does next.
    private enum Turn {
        case stop
        case task(MaintenanceTask)
        case segment
        case checkpoint
    }

    /// The checkpoint thread: checkpoints when a threshold is passed or some time went by, and does
    /// what is asked.
    func checkpointLoop() {
        while true {
            switch nextTurn() {
            case .stop:
                let left = control.change { control in
                    control.hasStopped = true
                    defer { control.tasks = [] }
                    return control.tasks
                }
                for task in left { task.refuse(.closed()) }
                return
            case .task(let task): task.run()
            // Without it a full segment makes its own successor, and tells of an error.
            case .segment: _ = try? journal.prepare()
            // An error is kept in `condition`, and counted; the next turn tries again.
            case .checkpoint: _ = try? checkpoint()
            }
        }
    }

    private func nextTurn() -> Turn {
        let interval = configuration.checkpointIntervalMilliseconds
        let isRetrying = condition.withLock { $0.full != nil }
        let turn = control.wait(milliseconds: isRetrying ? min(interval, 1_000) : interval) {
            control -> Turn? in
            if control.hasStopped { return .stop }
            if !control.tasks.isEmpty { return .task(control.tasks.removeFirst()) }
            if control.isClosing { return .stop }
            if control.wantsSegment {
                control.wantsSegment = false
                return .segment
            }
            return control.wantsCheckpoint ? .checkpoint : nil
        }
        return turn ?? .checkpoint
    }

    /// Writes everything durable into the data file, and truncates the journal behind it.
    ///
    /// On the checkpoint thread. Beside live traffic: the table is locked for one step's snapshots
    /// at a time.
    func checkpoint() throws(StoreError) {
        control.withLock { $0.isCheckpointing = true }
        var failed: StoreError?
        let stopwatch = Stopwatch(for: configuration.observer)
        do throws(StoreError) {
            try begin()
            try writeCheckpoint(stopwatch)
            let full = try refusalOfAppends()
            condition.withLock { $0.full = full }
        } catch {
            failed = error
            counters.withLock { $0.checkpointFailures += 1 }
            tellObserver(succeeded: false, stopwatch)
            if error.code == .storageFull {
                condition.withLock { $0.full = error }
                // Acknowledgements may make the room that new messages need.
                _ = try? writeHeads()
            } else {
                fail(error)
            }
        }
        control.change { control in
            control.isCheckpointing = false
            control.attempts += 1
        }
        evictIdle()
        if let failed { throw failed }
    }

    private func begin() throws(StoreError) {
        // Whoever asks for a checkpoint until here gets this one.
        defer { control.withLock { $0.wantsCheckpoint = false } }
        if let failure { throw failure }
        try configuration.faults?.reach(.checkpointBegin)
    }

    /// Appends stop before the file is quite full: deletions need room, too.
    ///
    /// - Returns: what they are refused with; nil while there is room.
    private func refusalOfAppends() throws(StoreError) -> StoreError? {
        let limit = configuration.mapBytesMaximum / 10 * 9
        let liveBytes = try onBase { () throws(LMDBError) in
            // Free pages are counted only when they decide.
            guard try base.environment.usage.usedBytes > limit else { return 0 }
            let usage = try base.environment.statistics
            return usage.usedBytes - (usage.freePages ?? 0) * usage.pageBytes
        }
        guard liveBytes > limit else { return nil }
        return StoreError(
            code: .storageFull,
            message:
                "the data file uses \(liveBytes) of at most \(configuration.mapBytesMaximum) "
                + "bytes; "
                + "acknowledge and compact, or raise mapBytesMaximum")
    }

    private func writeCheckpoint(_ stopwatch: Stopwatch) throws(StoreError) {
        // Only what is durable may reach the data file, whatever the durability of appends.
        let synced = table.withLock { $0.publishedPosition }
        if configuration.durability != .commit { try journal.sync() }
        let (position, numbers) = table.withLock { table in
            let numbers = table.dirty
            table.dirty = []
            return (
                configuration.durability == .commit ? table.publishedPosition : synced, numbers
            )
        }
        if numbers.isEmpty, control.withLock({ $0.truncatedPosition }) == position { return }
        var pending = sorted(numbers)[...]
        if PlantedBug.positionBeforeData.isMade { _ = try write([], completing: position) }
        do throws(StoreError) {
            repeat {
                // A segment ahead is a convenience: without room for it, the checkpoint is what
                // makes room.
                _ = try? journal.prepare()
                try writeStep(&pending, completing: position)
                configuration.observer?.checkpointAdvanced(
                    CheckpointProgress(
                        shard: ordinal, mailboxesWritten: numbers.count - pending.count,
                        mailboxes: numbers.count))
            } while !pending.isEmpty
        } catch {
            // What no step took is still to be written; the step that failed put its own back.
            table.withLock { table in
                for item in pending where table[item.number].isDirty {
                    table.dirty.append(Int32(item.number))
                }
            }
            throw error
        }
        try configuration.faults?.reach(.checkpointBeforeTruncate)
        try journal.truncate(through: position)
        table.withLock { table in
            table.releaseGroups(through: position)
            table.forgetWrittenAcknowledgements()
        }
        control.withLock { $0.truncatedPosition = position }
        counters.withLock { $0.checkpoints += 1 }
        tellObserver(succeeded: true, stopwatch)
    }

    private func tellObserver(succeeded: Bool, _ stopwatch: Stopwatch) {
        configuration.observer?.checkpointFinished(
            CheckpointOutcome(
                shard: ordinal, succeeded: succeeded, nanoseconds: stopwatch.nanoseconds))
    }

    private struct Item {
        let key: MailboxKey
        let number: Int
    }

    /// The changed mailboxes in the order of their keys.
    private func sorted(_ numbers: [Int32]) -> [Item] {
        var items: [Item] = []
        items.reserveCapacity(numbers.count)
        var start = 0
        while start < numbers.count {
            let end = min(start + 2_048, numbers.count)
            table.withLock { table in
                for number in numbers[start..<end] {
                    items.append(Item(key: table[Int(number)].key, number: Int(number)))
                }
            }
            start = end
        }
        items.sort { $0.key < $1.key }
        return items
    }

    /// How much one transaction of a checkpoint takes.
    private struct Step {
        let mailboxes: Int
        /// Of messages; the last mailbox may go beyond it by one message.
        let bytes: Int
    }

    /// How much the next transaction takes.
    ///
    /// Small transactions leave the disk to the journal, so that appends stay quick; large ones
    /// write several times as many pages a second. The fuller the tails, the more throughput
    /// counts: appends that wait are slower still.
    private var nextStep: Step {
        let tailBytes = table.withLock { $0.tailBytes }
        let percent = tailBytes / (configuration.tailBytesMaximum / 100)
        return switch percent {
        case ...55: Step(mailboxes: 1_024, bytes: 8 << 20)
        case ...65: Step(mailboxes: 4_096, bytes: 16 << 20)
        default: Step(mailboxes: 8_192, bytes: 32 << 20)
        }
    }

    /// Mailboxes looked at in one hold of the table's lock.
    private static let lockSlice = 256

    /// Writes the next mailboxes in one transaction; the last of them comes with the log position.
    ///
    /// - Parameter pending: loses those that the step took.
    private func writeStep(
        _ pending: inout ArraySlice<Item>, completing position: JournalPosition
    ) throws(StoreError) {
        let snapshots = takeSnapshots(
            &pending, step: nextStep,
            synced: configuration.durability == .commit ? nil : position)
        do throws(StoreError) {
            let outcomes = try write(snapshots, completing: pending.isEmpty ? position : nil)
            finish(outcomes)
        } catch {
            putBack(snapshots)
            throw error
        }
    }

    /// Writes what needs no room, when there is none for messages: acknowledgements, and what they
    /// let go.
    ///
    /// The log's position stays where it is, and so do the tails: everything is written again when
    /// there is room.
    private func writeHeads() throws(StoreError) {
        let numbers = table.withLock { table in
            let numbers = table.dirty
            table.dirty = []
            return numbers
        }
        var left = sorted(numbers)[...]
        while !left.isEmpty {
            let step = left.prefix(Self.lockSlice)
            left = left.dropFirst(step.count)
            let snapshots = table.withLock { table in
                step.compactMap { item -> MailboxSnapshot? in
                    // Still to be written as a whole: it stays on the list.
                    table.dirty.append(Int32(item.number))
                    guard table[item.number].isInBase else { return nil }
                    return MailboxSnapshot(headOf: table[item.number], number: item.number)
                }
            }
            let outcomes: [MailboxOutcome]
            do throws(StoreError) {
                outcomes = try write(snapshots, completing: nil)
            } catch {
                table.withLock { table in
                    for item in left { table.dirty.append(Int32(item.number)) }
                }
                throw error
            }
            finish(outcomes)
        }
    }

    /// The snapshots were not written: their mailboxes are changed as before.
    private func putBack(_ snapshots: [MailboxSnapshot]) {
        table.withLock { table in
            for snapshot in snapshots where snapshot.isWhole {
                table[snapshot.number].isInCheckpoint = false
                table.markDirty(snapshot.number)
            }
        }
    }

    /// Takes the next mailboxes' snapshots: whole ones, but for a last one that is too long for one
    /// step.
    private func takeSnapshots(
        _ left: inout ArraySlice<Item>, step: Step, synced: JournalPosition?
    ) -> [MailboxSnapshot] {
        var snapshots: [MailboxSnapshot] = []
        var bytes = 0
        var isDone = false
        while !isDone, !left.isEmpty, snapshots.count < step.mailboxes, bytes < step.bytes {
            let slice = left.prefix(min(Self.lockSlice, step.mailboxes - snapshots.count))
            table.withLock { table in
                for item in slice {
                    let snapshot = MailboxSnapshot(
                        table[item.number], number: item.number, table: table,
                        bytes: step.bytes, synced: synced)
                    bytes += snapshot.tailBytes
                    snapshots.append(snapshot)
                    guard snapshot.isWhole else {
                        isDone = true
                        return
                    }
                    table.markClean(item.number)
                    if snapshot.leavesUnsynced { table.markDirty(item.number) }
                    left.removeFirst()
                    if bytes >= step.bytes { return }
                }
            }
        }
        return snapshots
    }

    private func write(
        _ snapshots: [MailboxSnapshot], completing position: JournalPosition?
    ) throws(StoreError) -> [MailboxOutcome] {
        let writer = BaseWriter(
            base: base, retention: retention, now: time.now())
        return try writingBase(
            before: position == nil
                ? [.checkpointBeforeCommit] : [.checkpointBeforeCommit, .checkpointBeforePosition],
            after: .checkpointAfterCommit
        ) { (transaction: inout WriteTransaction) throws(LMDBError) in
            let outcomes = try writer.write(snapshots, &transaction)
            if let position { try base.putPosition(position, &transaction) }
            return outcomes
        }
    }

    /// Runs a write transaction, in a larger map when the file needs it.
    ///
    /// - Parameters:
    ///   - before: fault points in front of the commit.
    ///   - after: the fault point behind it.
    func writingBase<Result>(
        before: [FaultPoint], after: FaultPoint,
        _ body: (inout WriteTransaction) throws(LMDBError) -> Result
    ) throws(StoreError) -> Result {
        while true {
            var injected: StoreError?
            let result: Result
            do throws(LMDBError) {
                result = try base.environment.write {
                    (transaction: inout WriteTransaction) throws(LMDBError) -> Result in
                    let result = try body(&transaction)
                    for point in before {
                        injected = configuration.faults?.error(at: point)
                        if injected != nil { throw .corrupted("injected") }
                    }
                    return result
                }
            } catch {
                if let injected { throw injected }
                if error.code == .mapFull, try growMap() { continue }
                throw StoreError(error)
            }
            try configuration.faults?.crash(at: after)
            return result
        }
    }

    /// Doubles the data file's address space.
    ///
    /// - Returns: false when it is at its maximum.
    private func growMap() throws(StoreError) -> Bool {
        let current = try onBase { () throws(LMDBError) in try base.environment.usage.mapBytes }
        guard current < configuration.mapBytesMaximum else { return false }
        let larger = min(current * 2, configuration.mapBytesMaximum)
        try onBase { () throws(LMDBError) in try base.environment.growMap(to: larger) }
        return true
    }

    /// The step is in the data file: tails that it holds leave memory.
    private func finish(_ outcomes: [MailboxOutcome]) {
        var left = outcomes[...]
        while !left.isEmpty {
            let slice = left.prefix(Self.lockSlice)
            table.withLock { table in for outcome in slice { table.apply(outcome) } }
            left = left.dropFirst(slice.count)
        }
        counters.withLock { counters in
            for outcome in outcomes {
                counters.checkpointedMessages += UInt64(outcome.writtenMessages)
                counters.neverCheckpointedMessages += UInt64(outcome.skippedMessages)
                guard outcome.removedMessages > 0 else { continue }
                if isFirst(outcome) { counters.removal.mailboxesCompacted += 1 }
                counters.removal.messagesRemoved += outcome.removedMessages
                counters.removal.bodyBytesRemoved += outcome.removedBodyBytes
            }
        }
    }

    /// Whether a compaction under way, if there is one, sees this mailbox shortened for the first
    /// time.
    private func isFirst(_ outcome: MailboxOutcome) -> Bool {
        let hash = table.withLock { $0[outcome.number].key.hash }
        return shortened.withLock { $0?.insert(hash).inserted ?? true }
    }

    /// Lets heads go that nobody uses; skipped when appends have the turn, since they do it, too.
    private func evictIdle() {
        let limit = configuration.headCacheMaximum
        var hasMore = true
        while hasMore {
            hasMore =
                turn.withLockIfAvailable { _ in
                    table.withLock { $0.evict(downTo: limit, atMost: 4_096) }
                } ?? false
        }
    }
}

extension MailboxTable {
    /// Takes over what the data file now holds of a mailbox.
    mutating func apply(_ outcome: MailboxOutcome) {
        let number = outcome.number
        self[number].isInCheckpoint = false
        let moved = Int(outcome.max - self[number].baseMax)
        self[number].tail.removeFirst(moved)
        self[number].baseMax = outcome.max
        self[number].floor = max(self[number].floor, outcome.floor)
        self[number].bodyBytes -= outcome.removedBodyBytes
        self[number].isInBase = true
        self[number].isWaitingInBase = outcome.isWaiting
        if outcome.acknowledged >= self[number].acknowledged {
            // The data file has it: the journal need not say it any more.
            self[number].isAcknowledgementPending = false
        }
        for place in self[number].producers.indices {
            let written = self[number].producers[place].recent.prefix { $0.sequence <= outcome.max }
            self[number].producers[place].recent.removeFirst(written.count)
        }
        if self[number].tail.isEmpty {
            // Not even an empty array's room: mailboxes that are quiet cost only their head.
            self[number].tail = []
        }
        if outcome.isUnfinished { markDirty(number) }
        if self[number].isClean { queueForEviction(number) }
    }
}
