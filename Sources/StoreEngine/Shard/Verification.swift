internal import LMDB
internal import Mailbox

/// One shard's verification: walks every tree of the data file, and the journal.
struct Verification {
    let shard: Shard
    var report: VerifyReport
    private(set) var records: Int
    private var expected = 0

    init(shard: Shard, report: VerifyReport, recordsBefore: Int) {
        self.shard = shard
        self.report = report
        records = recordsBefore
    }

    private static let recordsPerRead = 20_000

    mutating func run(_ progress: ((VerifyProgress) -> Void)?) throws(StoreError) {
        let trees = shard.base.trees
        expected = try shard.readBase { transaction throws(LMDBError) in
            records + (try transaction.statistics(of: trees.messages).entries)
                + (try transaction.statistics(of: trees.producers).entries)
                + (try transaction.statistics(of: trees.waiting).entries)
        }
        try walk(trees.messages, progress) { state, key, value in
            state.checkMessages(key, value)
        }
        finishMailbox()
        try walk(trees.producers, progress) { state, key, value in
            state.checkProducer(key, value)
        }
        finishProducer()
        try walk(trees.waiting, progress) { state, key, value in state.checkWaiting(key, value) }
        try compareWaiting()
        let journal = shard.journal.verify()
        report.journalGroups += journal.groups
        for problem in journal.problems { report.add(problem) }
    }

    // MARK: Walking

    /// Calls `check` with every record of a tree, in reads that end between two mailboxes.
    private mutating func walk(
        _ tree: Database, _ progress: ((VerifyProgress) -> Void)?,
        _ check: (inout Verification, _ key: [UInt8], _ value: borrowing Span<UInt8>) -> Void
    ) throws(StoreError) {
        var next: [UInt8]? = []
        while let start = next {
            var state = self
            next = try shard.readBase { transaction throws(LMDBError) in
                try transaction.withCursor(in: tree) {
                    (cursor: inout ReadCursor) throws(LMDBError) -> [UInt8]? in
                    var inRead = 0
                    var mailbox: [UInt8] = []
                    var last = start
                    var isThere =
                        start.isEmpty ? try cursor.first() : try cursor.seek(to: start.span)
                    while isThere {
                        var key: [UInt8] = []
                        key.append(copying: cursor.key)
                        guard last.lexicographicallyPrecedes(key) || (inRead == 0 && key == start)
                        else { throw .corrupted("a tree is out of order") }
                        last = key
                        if key != BaseStore.markerKey {
                            let isSame = !mailbox.isEmpty && key.starts(with: mailbox)
                            if !isSame {
                                // A mailbox's records are checked within one snapshot.
                                if inRead >= Self.recordsPerRead { return key }
                                let count = BaseKey.mailboxKeyCount(cursor.key) ?? key.count
                                mailbox = Array(key[..<count])
                            }
                            check(&state, key, cursor.value)
                            inRead += 1
                            state.records += 1
                        }
                        isThere = try cursor.next()
                    }
                    return nil
                }
            }
            self = state
            progress?(VerifyProgress(records: records, recordsExpected: max(expected, records)))
        }
    }

    // MARK: Messages

    /// What the runs of the mailbox under way said, until its head comes.
    private var prefix: [UInt8] = []
    private var firstSequence: SequenceNumber?
    private var lastSequence: SequenceNumber = 0
    private var bodyBytes: UInt64 = 0
    private var newestTimestamp: Int64 = 0
    private var isDamaged = false

    private mutating func checkMessages(_ key: [UInt8], _ value: borrowing Span<UInt8>) {
        guard let count = BaseKey.mailboxKeyCount(key.span), key.count > count,
            let mailbox = MailboxKey(bytes: key.span.extracting(0..<count))
        else {
            report.add("the data file has a key that is no mailbox's")
            return
        }
        if mailbox.bytes != prefix {
            finishMailbox()
            prefix = mailbox.bytes
        }
        do throws(LMDBError) {
            if let first = BaseKey.firstSequence(key.span, prefix: prefix.span) {
                try checkRun(first, key, value, mailbox)
            } else if key == BaseKey.head(prefix) {
                try checkHead(key, value, mailbox)
            } else {
                report.add("\(mailbox.mailbox): a record of an unknown kind")
            }
        } catch {
            isDamaged = true
            report.add("\(mailbox.mailbox): \(error)")
        }
    }

    private mutating func checkRun(
        _ first: SequenceNumber, _ key: [UInt8], _ value: borrowing Span<UInt8>,
        _ mailbox: MailboxKey
    ) throws(LMDBError) {
        let header = try RunRecord.header(value, key: key.span, first: first)
        if let firstSequence, first != lastSequence + 1 {
            report.add(
                "\(mailbox.mailbox): \(first) follows \(lastSequence), from \(firstSequence) on "
                    + "there is "
                    + "a hole")
        }
        firstSequence = firstSequence ?? first
        var offset = RunRecord.headerByteCount
        var expected = first
        var bytes = 0
        while offset < value.count {
            guard let message = MessageEncoding.header(in: value, at: offset),
                message.sequence == expected
            else { throw .corrupted("the run from \(first) holds bytes that are no message") }
            if message.timestampMilliseconds < newestTimestamp {
                report.add(
                    "\(mailbox.mailbox): the timestamp of \(expected) is older than the one before")
            }
            newestTimestamp = message.timestampMilliseconds
            bytes += message.bodyByteCount
            offset += message.byteCount
            expected &+= 1
        }
        if bytes != header.bodyBytes || expected != header.last &+ 1 {
            throw .corrupted("the run from \(first) has other counts than it says")
        }
        lastSequence = header.last
        bodyBytes += UInt64(bytes)
        report.messages += header.count
        report.bodyBytes += UInt64(bytes)
    }

    private mutating func checkHead(
        _ key: [UInt8], _ value: borrowing Span<UInt8>, _ mailbox: MailboxKey
    ) throws(LMDBError) {
        let head = try HeadRecord.decode(value, key: key.span)
        report.mailboxes += 1
        let isTrue =
            firstSequence.map { $0 == head.floor + 1 && lastSequence == head.max }
            ?? (head.floor == head.max)
        // What a damaged run hides is no second problem.
        if !isDamaged, !isTrue || bodyBytes != head.bodyBytes {
            report.add(
                "\(mailbox.mailbox): the head says \(head.floor + 1)…\(head.max), "
                    + "\(head.bodyBytes) bytes; "
                    + "there are \(firstSequence ?? 0)…\(lastSequence), \(bodyBytes) bytes")
        }
        if newestTimestamp > head.newestTimestampMilliseconds {
            report.add(
                "\(mailbox.mailbox): the head's timestamp is older than the newest message's")
        }
        resetMailbox()
    }

    private mutating func finishMailbox() {
        if firstSequence != nil, let mailbox = MailboxKey(bytes: prefix.span)?.mailbox {
            report.add("\(mailbox): messages without a head")
        }
        resetMailbox()
    }

    private mutating func resetMailbox() {
        prefix = []
        firstSequence = nil
        lastSequence = 0
        bodyBytes = 0
        newestTimestamp = 0
        isDamaged = false
    }

    /// The list of waiting mailboxes against the heads, in one snapshot: what it lacks, no `sync`
    /// would find.
    private mutating func compareWaiting() throws(StoreError) {
        let base = shard.base
        let wrong = try shard.readBase { transaction throws(LMDBError) -> [String] in
            var wrong: [String] = []
            var listed = try transaction.statistics(of: base.trees.waiting).entries - 1
            do throws(LMDBError) {
                try base.forEachHead(from: BaseStore.markerKey, transaction) {
                    prefix, head throws(LMDBError) in
                    guard head.waitingCount > 0 else { return true }
                    listed -= 1
                    if try transaction.value(for: prefix.span, in: base.trees.waiting) == nil {
                        let name = MailboxKey(bytes: prefix.span)?.mailbox.description ?? "?"
                        wrong.append(
                            "\(name): messages wait, and the list of waiting mailboxes lacks it")
                    }
                    return true
                }
            } catch {
                // A damaged head was told of before.
                return wrong
            }
            if listed > 0, wrong.isEmpty {
                wrong.append("\(listed) mailboxes are listed as waiting, and nothing waits in them")
            }
            return wrong
        }
        for problem in wrong { report.add(problem) }
    }

    // MARK: Producers and the waiting list

    private var producer: [UInt8] = []
    private var lastBlock: UInt32 = 0
    private var lastBlockIsFull = true

    private mutating func checkProducer(_ key: [UInt8], _ value: borrowing Span<UInt8>) {
        guard let count = BaseKey.mailboxKeyCount(key.span), key.count > count + 5,
            let mailbox = MailboxKey(bytes: key.span.extracting(0..<count))?.mailbox,
            key.count == count + 1 + Int(key[count]) + 4
        else {
            report.add("the data file has a key that is no producer's")
            return
        }
        let name = Array(key.dropLast(4))
        let block: UInt32 = key.span.bigEndian(name.count)
        if name != producer {
            finishProducer()
            producer = name
            report.producers += 1
        } else if block != lastBlock + 1 || !lastBlockIsFull {
            report.add("\(mailbox): a producer's records have a hole before block \(block)")
        }
        lastBlock = block
        do throws(LMDBError) {
            let records = try ProducerBlock.decode(value, key: key.span)
            lastBlockIsFull = records.count == Int(ProducerBlock.capacity)
            for (older, newer) in zip(records, records.dropFirst())
            where older.sequence >= newer.sequence {
                report.add("\(mailbox): a producer's records are out of order in block \(block)")
            }
        } catch {
            lastBlockIsFull = true
            report.add("\(mailbox): \(error)")
        }
    }

    private mutating func finishProducer() {
        producer = []
        lastBlockIsFull = true
    }

    private mutating func checkWaiting(_ key: [UInt8], _ value: borrowing Span<UInt8>) {
        guard let mailbox = MailboxKey(bytes: key.span)?.mailbox else {
            report.add("the list of waiting mailboxes has a key that is no mailbox's")
            return
        }
        do throws(LMDBError) {
            try BaseRecord.check(value, key: key.span, atLeast: BaseRecord.headerByteCount)
        } catch {
            report.add("\(mailbox): \(error)")
        }
    }
}
