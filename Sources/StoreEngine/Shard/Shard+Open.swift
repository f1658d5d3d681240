internal import LMDB
internal import Mailbox
internal import Synchronization

extension Shard {
    /// What the checkpoint thread and the opening thread hand each other.
    private struct Handover {
        var base: Result<BaseStore, StoreError>?
        var shard: Shard?
        var isGivenUp = false
    }

    /// Opens a shard, or makes it.
    ///
    /// - Parameter manifest: says which store it is of: its epoch, and its secret, which goes into
    ///   the journal's checksums.
    static func open(
        _ ordinal: Int, at directory: String, configuration: StoreConfiguration,
        manifest: Manifest, create: Bool
    ) throws(StoreError) -> Shard {
        if create {
            try Directory.make(directory)
            try Directory.make("\(directory)/data")
        }
        let handover = Monitor(Handover())
        // The data file belongs to the thread that writes it, from its opening to its closing.
        let thread = try OSThread {
            let opened: Result<BaseStore, StoreError>
            do throws(StoreError) {
                opened = .success(
                    try BaseStore.open(
                        "\(directory)/data", configuration: configuration, create: create))
            } catch {
                opened = .failure(error)
            }
            handover.change { $0.base = opened }
            guard case .success(let base) = opened else { return }
            let shard = handover.wait { state -> Shard?? in
                state.shard != nil || state.isGivenUp ? .some(state.shard) : nil
            }
            handover.change { $0.shard = nil }
            shard?.checkpointLoop()
            base.environment.close()
        }
        let base: BaseStore
        switch handover.wait({ $0.base }) {
        case .success(let opened): base = opened
        case .failure(let error):
            thread.join()
            throw error
        }
        var opened: Shard?
        do throws(StoreError) {
            let settings = FileJournal.Settings(
                directory: "\(directory)/journal", shard: UInt32(ordinal),
                segmentByteCount: configuration.journalSegmentBytes,
                identity: manifest.identity, faults: configuration.faults)
            let journal =
                try create ? FileJournal.create(settings) : FileJournal.open(settings)
            let shard = Shard(
                ordinal: ordinal, epoch: manifest.epoch, directory: directory,
                configuration: configuration, journal: journal, base: base)
            opened = shard
            shard.adopt(thread)
            handover.change { $0.shard = shard }
            if !create { try shard.recover() }
            try shard.startThreads()
            if create {
                try Directory.sync("\(directory)/data")
                try Directory.sync(directory)
            }
            return shard
        } catch {
            handover.change { $0.isGivenUp = true }
            if let opened { opened.abandon() } else { thread.join() }
            throw error
        }
    }

    private func startThreads() throws(StoreError) {
        adopt(try OSThread { [self] in commitLoop() })
        if configuration.durability == .interval {
            adopt(try OSThread { [self] in syncLoop() })
        }
    }

    /// With `.interval`: syncs what was written, again and again.
    private func syncLoop() {
        while true {
            let hasStopped = control.wait(milliseconds: configuration.syncIntervalMilliseconds) {
                $0.hasStopped ? true : nil
            }
            if hasStopped == true { return }
            do throws(StoreError) {
                try journal.sync()
            } catch {
                fail(error)
                return
            }
        }
    }

    // MARK: Recovery

    /// Brings back what the journal has and the data file lacks.
    private func recover() throws(StoreError) {
        let position = try base.position()
        control.withLock { $0.truncatedPosition = position }
        table.withLock { $0.publishedPosition = position }
        try journal.replay(after: position) { position, payload throws(StoreError) in
            let records = try JournalRecord.decode(payload, at: position)
            // The turn keeps entry numbers from changing hands: the checkpoint thread is at work
            // already.
            try turn.withLock { _ throws(StoreError) in
                try apply(records, payload, at: position)
            }
            let isPressed = table.withLock { $0.tailBytes >= configuration.tailBytesMaximum }
            guard isPressed else { return }
            if PlantedBug.truncateBeforeReplayed.isMade { try journal.truncate(through: position) }
            do throws(StoreError) {
                try onCheckpointThread { () throws(StoreError) in try self.checkpoint() }
            } catch  where error.code == .storageFull {
                // A store opens on a full disk: what is in the journal stays in memory until there
                // is room.
            }
        }
        // Segments stayed as they were while they were replayed, whatever was written meanwhile:
        // the next checkpoint gives them back, even when it has nothing else to do.
        control.withLock { $0.truncatedPosition = position }
    }

    private func apply(
        _ records: [JournalRecord.Decoded], _ payload: [UInt8], at position: JournalPosition
    ) throws(StoreError) {
        var places = [Int](repeating: -1, count: records.count)
        var cold: [ColdMailbox] = []
        table.withLock { table in
            for (index, record) in records.enumerated() {
                let key: MailboxKey
                var device: DeviceID?
                switch record {
                case .append(let mailbox, let header, let offset):
                    key = mailbox
                    if header.deviceByteCount > 0 {
                        device =
                            MessageEncoding.producer(in: payload.span, at: offset, header: header)?
                            .device
                    }
                case .acknowledge(let mailbox, _): key = mailbox
                }
                places[index] = table.find(key) ?? -1
                if !table.knows(device, places[index]) {
                    cold.append(ColdMailbox(key: key, device: device, index: index))
                }
            }
        }
        try warm(cold) { index, place in places[index] = place }
        let failure = table.withLock { table -> StoreError? in
            table.appendGroup(payload, at: position)
            for (index, record) in records.enumerated() {
                if let error = table.replay(record, payload, at: places[index], position) {
                    return error
                }
            }
            table.publishedPosition = position
            return nil
        }
        if let failure { throw failure }
        counters.withLock { $0.recoveredRecords += UInt64(records.count) }
    }

    // MARK: Closing

    /// Runs a piece of work on the checkpoint thread, and waits for it.
    func onCheckpointThread(
        _ work: @escaping @Sendable () throws(StoreError) -> Void
    ) throws(StoreError) {
        let done = Monitor<StoreError??>(nil)
        submit(MaintenanceTask(work) { error in done.change { $0 = .some(error) } })
        if let error = done.wait({ $0 }) { throw error }
    }

    /// Hands a piece of work to the checkpoint thread.
    func submit(_ task: MaintenanceTask) {
        let isTaken = control.change { control in
            if control.hasStopped || control.isClosing { return false }
            control.tasks.append(task)
            return true
        }
        if !isTaken { task.refuse(.closed()) }
    }

    /// Commits what waits, writes a last checkpoint, and ends the threads.
    func close() throws(StoreError) {
        queue.close()
        drainTurn()
        watchers.close()
        // A shard that failed writes no last checkpoint, either: acknowledgements may be gone.
        var failed = failure
        if failed == nil {
            do throws(StoreError) {
                try onCheckpointThread { () throws(StoreError) in try self.checkpoint() }
            } catch {
                failed = error
            }
        }
        control.change { $0.isClosing = true }
        joinThreads()
        control.change { $0.hasStopped = true }
        if let failed { throw failed }
    }

    /// Stops at once, as a crash would: nothing more is written, what waits is refused.
    func abandon() {
        fail(.closed())
        control.change { $0.hasStopped = true }
        queue.close()
        drainTurn()
        watchers.close()
        joinThreads()
    }

    /// Commits or refuses all that was queued; whoever was committing, a blocking caller perhaps,
    /// is done by then.
    private func drainTurn() {
        turn.withLock { turn in
            while commitGroup(&turn) {}
        }
    }
}

extension MailboxTable {
    /// Applies a record of the journal, unless the data file has it already.
    ///
    /// - Returns: what is wrong with a record that fits nowhere.
    mutating func replay(
        _ record: JournalRecord.Decoded, _ payload: [UInt8], at number: Int,
        _ position: JournalPosition
    ) -> StoreError? {
        switch record {
        case .acknowledge(_, let through):
            guard through > self[number].acknowledged else { return nil }
            guard through <= self[number].visibleMax else {
                return .corrupted(
                    "group \(position.rawValue) of the journal confirms a message that is not there"
                )
            }
            self[number].acknowledged = through
            markDirty(number)
        case .append(_, let header, let offset):
            guard header.sequence > self[number].allocatedMax else { return nil }
            guard header.sequence == self[number].allocatedMax + 1 else {
                return .corrupted(
                    "group \(position.rawValue) of the journal skips a sequence of a mailbox")
            }
            self[number].allocatedMax = header.sequence
            self[number].visibleMax = header.sequence
            self[number].allocatedTimestamp = header.timestampMilliseconds
            self[number].newestTimestamp = header.timestampMilliseconds
            self[number].bodyBytes += UInt64(header.bodyByteCount)
            self[number].tail.append(
                TailSlot(
                    group: UInt32(truncatingIfNeeded: position.rawValue), offset: UInt32(offset)))
            markDirty(number)
            if let producer = MessageEncoding.producer(
                in: payload.span, at: offset, header: header)
            {
                let body = offset + header.bodyOffset
                return replay(
                    producer, body: payload[body..<body + header.bodyByteCount],
                    sequence: header.sequence, at: number, position)
            }
        }
        return nil
    }

    private mutating func replay(
        _ producer: Producer, body: ArraySlice<UInt8>, sequence: SequenceNumber, at number: Int,
        _ position: JournalPosition
    ) -> StoreError? {
        var place = self[number].producers.firstIndex { $0.device == producer.device }
        if place == nil {
            self[number].producers.append(ProducerEntry(device: producer.device, last: 0))
            place = self[number].producers.count - 1
        }
        guard let place else { return nil }
        guard producer.clientSequence == self[number].producers[place].last + 1 else {
            return .corrupted(
                "group \(position.rawValue) of the journal skips a client sequence of a device")
        }
        self[number].producers[place].last = producer.clientSequence
        self[number].producers[place].recent.append(
            ProducerRecord(sequence: sequence, digest: ProducerRecord.digest(body)))
        return nil
    }
}
