internal import LMDB
internal import Mailbox
internal import Synchronization

extension Shard {
    /// What a reader takes from the table in one lock hold: all that is needed to answer, but for
    /// the data file's part.
    private struct ReadPlan {
        let head: Head
        /// The first sequence wanted.
        let from: UInt64
        /// The last one.
        let through: SequenceNumber
        /// Everything through it is to be read from the data file.
        let baseMax: SequenceNumber
        /// The messages behind `baseMax`, as many as the page could take.
        var tail: [(payload: [UInt8], offset: Int, bodyBytes: Int)] = []
    }

    /// What a lookup in memory found.
    private enum Lookup {
        case plan(ReadPlan)
        case refused(StoreError)
        /// Not in memory; `loadsVoided` is the table's count at that moment.
        case cold(loadsVoided: UInt64)
    }

    // MARK: Fetch, read, acknowledge

    /// Confirms through `confirmed`, then answers what lies behind.
    func fetch(
        _ mailbox: MailboxID, confirming confirmed: SequenceNumber, limit: PageLimit, epoch: Epoch
    ) throws(StoreError) -> FetchResult {
        let key = MailboxKey(mailbox)
        return try answer(key, limit: limit, epoch: epoch) { table, number in
            let entry = table[number].head
            guard confirmed <= entry.max else { return .refused(.cursorAhead(max: entry.max)) }
            acknowledge(key, number, through: confirmed, &table)
            let head = table[number].head
            return .plan(
                Self.plan(
                    table, number, from: UInt64(head.acknowledged) + 1, through: head.max, limit))
        } cold: { head in
            guard confirmed <= head.max else { return .refused(.cursorAhead(max: head.max)) }
            // A confirmation that moves the watermark needs the mailbox in memory.
            guard confirmed <= head.acknowledged else { return nil }
            return .plan(
                ReadPlan(
                    head: head, from: UInt64(head.acknowledged) + 1, through: head.max,
                    baseMax: head.max))
        }
    }

    /// Answers sequences above `after`, up to `through`, without confirming.
    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit,
        epoch: Epoch
    ) throws(StoreError) -> FetchResult {
        let from = UInt64(after) + 1
        return try answer(MailboxKey(mailbox), limit: limit, epoch: epoch) { table, number in
            let head = table[number].head
            guard after >= head.floor else { return .refused(.trimmed(floor: head.floor)) }
            table[number].isRecentlyUsed = true
            return .plan(
                Self.plan(table, number, from: from, through: min(through ?? .max, head.max), limit)
            )
        } cold: { head in
            guard after >= head.floor else { return .refused(.trimmed(floor: head.floor)) }
            return .plan(
                ReadPlan(
                    head: head, from: from, through: min(through ?? .max, head.max),
                    baseMax: head.max))
        }
    }

    /// Confirms through `confirmed`, and answers the head.
    func acknowledge(
        _ mailbox: MailboxID, through confirmed: SequenceNumber, epoch: Epoch
    ) throws(StoreError) -> Head {
        // A fetch whose answer has room for nothing but its head: the confirming is the same.
        let key = MailboxKey(mailbox)
        return try answer(key, limit: .standard, epoch: epoch) { table, number in
            let max = table[number].visibleMax
            guard confirmed <= max else { return .refused(.cursorAhead(max: max)) }
            acknowledge(key, number, through: confirmed, &table)
            return .plan(Self.headOnly(table[number].head))
        } cold: { head in
            guard confirmed <= head.max else { return .refused(.cursorAhead(max: head.max)) }
            return confirmed <= head.acknowledged ? .plan(Self.headOnly(head)) : nil
        }.head
    }

    /// The mailbox's head, `Head.empty` when nobody wrote to it.
    func head(_ mailbox: MailboxID) throws(StoreError) -> Head {
        let key = MailboxKey(mailbox)
        let head = table.withLock { table in table.find(key).map { table[$0].head } }
        if let head { return head }
        return try readBase { transaction throws(LMDBError) in
            try base.head(key.bytes, transaction).head
        }
    }

    /// The last durable client sequence of a device.
    func sendState(_ mailbox: MailboxID, _ device: DeviceID) throws(StoreError) -> ClientSequence {
        let key = MailboxKey(mailbox)
        let known = table.withLock { table -> ClientSequence? in
            guard let number = table.find(key) else { return nil }
            let entry = table[number]
            if let producer = entry.producers.first(where: { $0.device == device }) {
                return producer.visibleLast(visibleMax: entry.visibleMax)
            }
            return entry.isInBase ? nil : 0
        }
        if let known { return known }
        return try readBase { transaction throws(LMDBError) in
            try base.producerLast(key.bytes, device, transaction)
        }
    }

    /// Runs a short read of the data file.
    func readBase<Result>(
        _ body: (borrowing ReadTransaction) throws(LMDBError) -> Result
    ) throws(StoreError) -> Result {
        try onBase { () throws(LMDBError) in try base.environment.read(body) }
    }

    // MARK: How an answer is made

    private static func headOnly(_ head: Head) -> ReadPlan {
        ReadPlan(head: head, from: UInt64(head.max) + 1, through: head.max, baseMax: head.max)
    }

    private func acknowledge(
        _ key: MailboxKey, _ number: Int, through sequence: SequenceNumber,
        _ table: inout MailboxTable
    ) {
        table[number].isRecentlyUsed = true
        guard table.acknowledge(number, through: sequence) else { return }
        if watchers.isActive { watchers.publish([(key.mailbox, table[number].head)]) }
        // Confirmations take memory, too, until they are written.
        if table.tailBytes >= configuration.tailBytesMaximum / 2 { askForCheckpoint() }
    }

    private static func plan(
        _ table: borrowing MailboxTable, _ number: Int, from: UInt64, through: SequenceNumber,
        _ limit: PageLimit
    ) -> ReadPlan {
        let entry = table[number]
        var plan = ReadPlan(
            head: entry.head, from: from, through: through, baseMax: entry.baseMax)
        let inBase = from <= UInt64(entry.baseMax) ? Int(UInt64(entry.baseMax) - from) + 1 : 0
        let first = max(from, UInt64(entry.baseMax) + 1)
        guard first <= UInt64(through), inBase < limit.messages else { return plan }
        // One more than fits would do to say that there is more; `through` says it already.
        let count = min(Int(UInt64(through) - first) + 1, limit.messages - inBase)
        let start = Int(first - UInt64(entry.baseMax)) - 1
        plan.tail.reserveCapacity(count)
        var bytes = 0
        for slot in entry.tail[start..<start + count] {
            let payload = table.payload(slot)
            let bodyBytes = Int(payload.span.littleEndian(Int(slot.offset) + 4, as: UInt32.self))
            plan.tail.append((payload, Int(slot.offset), bodyBytes))
            bytes += bodyBytes
            if bytes > limit.bytes { break }
        }
        return plan
    }

    /// Makes an answer from memory and the data file.
    ///
    /// The table is looked at first, the data file after: a message that a checkpoint moves in
    /// between is in both, and what the table said decides which part comes from where. Compaction
    /// in between shows as a hole in the data file; then everything is looked at anew.
    private func answer(
        _ key: MailboxKey, limit: PageLimit, epoch: Epoch,
        _ hot: (inout MailboxTable, Int) -> Lookup, cold: (Head) -> Lookup?
    ) throws(StoreError) -> FetchResult {
        let limit = PageLimit(
            messages: min(limit.messages, configuration.pageMessagesMaximum),
            bytes: min(limit.bytes, configuration.pageBytesMaximum))
        var attempt = 0
        while true {
            let lookup = table.withLock { table -> Lookup in
                guard let number = table.find(key) else {
                    return .cold(loadsVoided: table.loadsVoided)
                }
                return hot(&table, number)
            }
            switch lookup {
            case .refused(let error): throw error
            case .plan(let plan):
                if let result = try complete(plan, key, limit, epoch) { return result }
            case .cold(let voided):
                if let result = try answerCold(key, limit, epoch, voided, cold) { return result }
            }
            // Every further turn follows an eviction, or a compaction that is about to tell the
            // table. One that failed right behind its commit never will.
            attempt += 1
            if attempt > 64 {
                if let failure { throw failure }
                yieldThread()
            }
        }
    }

    /// Answers from the data file alone, or takes the mailbox into memory.
    ///
    /// - Returns: nil when the answer is to be sought anew.
    private func answerCold(
        _ key: MailboxKey, _ limit: PageLimit, _ epoch: Epoch, _ voided: UInt64,
        _ cold: (Head) -> Lookup?
    ) throws(StoreError) -> FetchResult? {
        let prefix = key.bytes
        var toInsert: BaseHead?
        var refusal: StoreError?
        let result = try readBase { transaction throws(LMDBError) -> FetchResult? in
            let found = try base.head(prefix, transaction)
            // The next reader finds the head in memory; one that nobody wrote to takes no room.
            if found.exists { toInsert = found }
            switch cold(found.head) {
            case .refused(let error):
                refusal = error
                return nil
            case .plan(let plan):
                var page = PageBuilder(limit: limit)
                let next = try collect(plan, key, transaction, &page)
                // One snapshot: nothing can have moved.
                if next <= UInt64(plan.through), !page.isFull {
                    throw .corrupted("message \(next) of a mailbox is missing")
                }
                return Self.result(plan, page, epoch)
            case nil, .cold:
                toInsert = found
                return nil
            }
        }
        if let refusal { throw refusal }
        if let toInsert {
            table.withLock { table in
                // Evicted or compacted since, or already here: then what was read is not to be
                // trusted. Reading alone pushes nobody out.
                guard table.loadsVoided == voided, table.find(key) == nil,
                    result == nil || table.count < configuration.headCacheMaximum
                else { return }
                table.queueForEviction(table.insert(MailboxEntry(key: key, base: toInsert)))
            }
        }
        return result
    }

    /// Adds the data file's part to what came from memory.
    ///
    /// - Returns: nil when the data file was compacted since the plan was made.
    private func complete(
        _ plan: ReadPlan, _ key: MailboxKey, _ limit: PageLimit, _ epoch: Epoch
    ) throws(StoreError) -> FetchResult? {
        var page = PageBuilder(limit: limit)
        let baseThrough = min(plan.baseMax, plan.through)
        if plan.from <= UInt64(baseThrough) {
            let isWhole = try readBase { transaction throws(LMDBError) -> Bool in
                let next = try collect(plan, key, transaction, &page)
                if next > UInt64(baseThrough) || page.isFull { return true }
                // A hole: compacted since the plan was made, or damage.
                if UInt64(try base.head(key.bytes, transaction).head.floor) >= next { return false }
                throw .corrupted("message \(next) of a mailbox is missing")
            }
            guard isWhole else { return nil }
        }
        if !plan.tail.isEmpty { page.batch.reserveSegments(plan.tail.count + 1) }
        for (payload, offset, bodyBytes) in plan.tail {
            guard page.admits(bodyBytes: bodyBytes) else { break }
            page.share(payload, offset: offset, bodyBytes: bodyBytes)
        }
        return Self.result(plan, page, epoch)
    }

    private func collect(
        _ plan: ReadPlan, _ key: MailboxKey, _ transaction: borrowing ReadTransaction,
        _ page: inout PageBuilder
    ) throws(LMDBError) -> UInt64 {
        let through = min(plan.baseMax, plan.through)
        guard plan.from <= UInt64(through) else { return plan.from }
        return try base.collect(
            key, from: SequenceNumber(plan.from), through: through, transaction, into: &page)
    }

    private static func result(_ plan: ReadPlan, _ page: PageBuilder, _ epoch: Epoch) -> FetchResult
    {
        FetchResult(
            messages: page.batch,
            hasMore: plan.from + UInt64(page.count) <= UInt64(plan.through),
            head: plan.head, epoch: epoch)
    }
}
