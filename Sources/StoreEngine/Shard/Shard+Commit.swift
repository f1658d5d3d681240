internal import LMDB
internal import Mailbox
internal import Synchronization

extension Shard {
    /// Commits one group of what waits. Only by the holder of the turn.
    ///
    /// - Returns: false when nothing waited.
    func commitGroup(_ turn: inout CommitTurn) -> Bool {
        var requests = queue.take(bytes: groupBytesMaximum)
        guard !requests.isEmpty else { return false }
        do throws(StoreError) {
            try checkAccepting()
            try waitForTailRoom()
            try commit(requests, &turn)
        } catch {
            for request in requests { request.failure = error }
        }
        let completions = requests.map(\.completion)
        // Let go of first: each is then freed by the thread of its caller, which makes the next one
        // of the same memory.
        requests = []
        for completion in completions { completion.call() }
        if PlantedBug.acknowledgeBeforeSync.isMade { _ = try? journal.sync() }
        return true
    }

    /// Appends wait while tails or journal are at their budgets: a checkpoint is on its way.
    private func waitForTailRoom() throws(StoreError) {
        while table.withLock({ $0.tailBytes }) >= configuration.tailBytesMaximum
            || journal.usage.usedBytes >= 2 * configuration.checkpointJournalBytes
        {
            let seen = control.change { control in
                control.wantsCheckpoint = true
                return control.attempts
            }
            control.wait { control in
                control.attempts != seen || control.hasStopped || failure != nil ? true : nil
            }
            try checkAccepting()
            if control.withLock({ $0.hasStopped }) { throw .closed() }
        }
    }

    private func commit(
        _ requests: [AppendRequest], _ turn: inout CommitTurn
    ) throws(StoreError) {
        makeRoomInTable()
        try locate(requests, &turn)
        let end = journal.end
        var group = GroupBuilder(
            position: end.next, epoch: epoch, now: time.stamp(), reusing: &turn)
        group.payload.reserveCapacity(requests.reduce(64) { $0 + $1.payloadBytes })
        allocate(requests, places: turn.places, &group)
        if !group.payload.isEmpty {
            do throws(StoreError) {
                try configuration.faults?.reach(.commitBeforeWrite)
                let stopwatch = Stopwatch(for: configuration.observer)
                _ = try journal.append(
                    group.payload, recordCount: group.recordCount, following: end,
                    synced: syncsBeforePublishing)
                group.journalNanoseconds = stopwatch.nanoseconds
                try configuration.faults?.crash(at: .commitBeforePublish)
            } catch {
                if error.code == .storageFull {
                    let start = GroupBuilder.Mark(
                        payloadCount: 0, recordCount: 0, allocationCount: 0, duplicates: 0)
                    table.withLock { table in
                        group.returnAcknowledgements(to: &table)
                        group.rollBack(to: start, in: &table)
                    }
                } else {
                    fail(error)
                }
                throw error
            }
            publish(group)
            if PlantedBug.visibleBeforeSync.isMade { try journal.sync() }
        }
        count(group)
        turn.allocations = group.allocations
        turn.acknowledgements = group.acknowledgements
    }

    private var syncsBeforePublishing: Bool {
        configuration.durability == .commit && !PlantedBug.acknowledgeBeforeSync.isMade
            && !PlantedBug.visibleBeforeSync.isMade
    }

    /// Lets go of heads beyond the cache's limit. Here, because entry numbers change hands.
    private func makeRoomInTable() {
        table.withLock { table in
            guard table.count > configuration.headCacheMaximum else { return }
            _ = table.evict(downTo: configuration.headCacheMaximum, atMost: 1_024)
        }
    }

    // MARK: Finding the mailboxes

    /// Puts the table's place of each append's mailbox into the turn, loading what is not in
    /// memory.
    private func locate(
        _ requests: [AppendRequest], _ turn: inout CommitTurn
    ) throws(StoreError) {
        turn.places.removeAll(keepingCapacity: true)
        var places = turn.places
        turn.places = []
        defer { turn.places = places }
        var cold: [ColdMailbox] = []
        turn.hashes.removeAll(keepingCapacity: true)
        for (number, request) in requests.enumerated() {
            // Another core wrote them: their lines come one after the other, unless asked for.
            if number + 8 < requests.count { requests[number + 8].prefetch() }
            request.forEachKey { turn.hashes.append($1.hash) }
        }
        let hashes = turn.hashes.span
        for request in requests {
            table.withLock { table in
                request.forEachKey { index, key in
                    // A mailbox is a few waits for memory; those of the next ones run beside them.
                    let (near, far) = (places.count + 12, places.count + 24)
                    if far < hashes.count { table.prefetchIndex(hashes[far]) }
                    if near < hashes.count { table.prefetchEntry(hashes[near]) }
                    let place = table.find(key) ?? -1
                    let device = request.device(at: index)
                    if !table.knows(device, place) {
                        cold.append(ColdMailbox(key: key, device: device, index: places.count))
                    } else {
                        table.prefetchTail(place)
                    }
                    places.append(place)
                }
            }
        }
        try warm(cold) { index, place in places[index] = place }
    }

    /// A mailbox, or one of its devices, that the table lacks.
    struct ColdMailbox {
        let key: MailboxKey
        let device: DeviceID?
        /// The caller's number for it.
        let index: Int
    }

    /// Takes mailboxes into memory. By the holder of the turn, or before the shard is open.
    ///
    /// - Parameter found: called with the caller's number and the place in the table, for each.
    func warm(
        _ cold: [ColdMailbox], found: (_ index: Int, _ place: Int) -> Void
    ) throws(StoreError) {
        guard !cold.isEmpty else { return }
        var isDone = false
        while !isDone {
            let voided = table.withLock { $0.loadsVoided }
            let loaded = try load(cold)
            isDone = table.withLock { table in
                // Compacted meanwhile: the floors that were read may be old.
                guard table.loadsVoided == voided else { return false }
                take(loaded, into: &table, found: found)
                return true
            }
        }
    }

    private func take(
        _ loaded: [Load], into table: inout MailboxTable,
        found: (_ index: Int, _ place: Int) -> Void
    ) {
        for load in loaded {
            let place =
                table.find(load.key) ?? table.insert(MailboxEntry(key: load.key, base: load.head))
            for index in load.indices { found(index, place) }
            // It leaves again when nothing is stored in it after all; what is changed is passed
            // over.
            table.queueForEviction(place)
            for (device, last) in load.producers
            where !table[place].producers.contains(where: { $0.device == device }) {
                table[place].producers.append(ProducerEntry(device: device, last: last))
            }
        }
    }

    private struct Load {
        let key: MailboxKey
        var head: BaseHead
        var indices: [Int]
        var devices: [DeviceID]
        var producers: [(DeviceID, ClientSequence)]
    }

    /// Reads heads and producers from the data file, outside every lock but the turn.
    private func load(_ cold: [ColdMailbox]) throws(StoreError) -> [Load] {
        var places: [MailboxKey: Int] = [:]
        var loads: [Load] = []
        for mailbox in cold {
            let place = places[mailbox.key] ?? loads.count
            if place == loads.count {
                places[mailbox.key] = place
                loads.append(
                    Load(key: mailbox.key, head: .none, indices: [], devices: [], producers: []))
            }
            loads[place].indices.append(mailbox.index)
            if let device = mailbox.device, !loads[place].devices.contains(device) {
                loads[place].devices.append(device)
            }
        }
        let toLoad = loads
        return try readBase { transaction throws(LMDBError) in
            var loads = toLoad
            for place in loads.indices {
                let prefix = loads[place].key.bytes
                loads[place].head = try base.head(prefix, transaction)
                guard loads[place].head.exists else { continue }
                for device in loads[place].devices {
                    let last = try base.producerLast(prefix, device, transaction)
                    if last > 0 { loads[place].producers.append((device, last)) }
                }
            }
            return loads
        }
    }

    // MARK: Allocating and publishing

    private func allocate(
        _ requests: [AppendRequest], places: [Int], _ group: inout GroupBuilder
    ) {
        var start = 0
        for request in requests {
            table.withLock { table in
                if request.isAtomic {
                    allocateAtomically(request, places: places, from: start, &group, &table)
                } else {
                    allocateEach(request, places: places, from: start, &group, &table)
                }
            }
            start += request.count
        }
        table.withLock { table in
            group.takeAcknowledgements(
                atMost: 4_096, bytes: journal.payloadBytesMaximum, from: &table)
        }
    }

    private func allocateEach(
        _ request: AppendRequest, places: [Int], from start: Int, _ group: inout GroupBuilder,
        _ table: inout MailboxTable
    ) {
        request.answerEach { index, append in
            group.allocate(
                append, at: places[start + index], durability: configuration.durability,
                in: &table, recall: recall)
        }
    }

    private func allocateAtomically(
        _ request: AppendRequest, places: [Int], from start: Int, _ group: inout GroupBuilder,
        _ table: inout MailboxTable
    ) {
        let mark = group.mark
        allocateEach(request, places: places, from: start, &group, &table)
        guard let refusal = request.firstRefusal else { return }
        group.rollBack(to: mark, in: &table)
        request.refuse(refusal)
    }

    /// Looks a producer's older record up in the data file: a resend of long ago, so rare.
    private func recall(
        _ producer: Producer, _ key: MailboxKey
    ) -> Result<ProducerRecord?, StoreError> {
        do throws(StoreError) {
            return .success(
                try onBase { () throws(LMDBError) in
                    try base.environment.read { transaction throws(LMDBError) in
                        try base.producerRecord(key.bytes, producer, transaction)
                    }
                })
        } catch {
            return .failure(error)
        }
    }

    /// The group is durable: readers, watchers and callers may know.
    private func publish(_ group: GroupBuilder) {
        let isWatched = watchers.isActive
        var moved: [(MailboxID, Head)] = []
        let needsCheckpoint = table.withLock { table in
            table.appendGroup(group.payload, at: group.position)
            for allocation in group.allocations {
                table[allocation.number].publish(allocation)
                table.markDirty(allocation.number)
            }
            if isWatched {
                for allocation in group.allocations
                where table[allocation.number].visibleMax == allocation.sequence {
                    moved.append(
                        (table[allocation.number].key.mailbox, table[allocation.number].head))
                }
            }
            table.publishedPosition = group.position
            return table.tailBytes >= configuration.tailBytesMaximum / 2
        }
        if isWatched { watchers.publish(moved) }
        // In this order: a checkpoint under way changes whether a segment is wanted.
        if journal.wantsPreparation { askForSegment() }
        if needsCheckpoint || journal.usage.usedBytes >= configuration.checkpointJournalBytes {
            askForCheckpoint()
        }
    }

    private func askForSegment() {
        let isNew = control.withLock { control in
            defer { control.wantsSegment = true }
            return !control.wantsSegment
        }
        if isNew { control.change { _ in } }
    }

    func askForCheckpoint() {
        let isNew = control.withLock { control in
            defer { control.wantsCheckpoint = true }
            return !control.wantsCheckpoint && !control.isCheckpointing
        }
        if isNew { control.change { _ in } }
    }

    private func count(_ group: GroupBuilder) {
        counters.withLock { counters in
            counters.duplicates += UInt64(group.duplicates)
            guard !group.payload.isEmpty else { return }
            counters.groups += 1
            counters.appendedMessages += UInt64(group.allocations.count)
            counters.appendedBodyBytes += UInt64(group.allocations.reduce(0) { $0 + $1.bodyBytes })
            counters.journalBytes += UInt64(JournalFrame.byteCount(payload: group.payload.count))
        }
        if let observer = configuration.observer { group.tell(observer, shard: ordinal) }
    }
}
