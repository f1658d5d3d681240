internal import CChecksum
internal import Mailbox

/// The mailboxes that a shard has in memory, with the durable messages that the data file lacks.
///
/// A value behind the shard's table lock. Entry numbers are stable until eviction, which only
/// happens in the commit turn; so whoever holds the turn may keep numbers across lock holds.
struct MailboxTable: ~Copyable {
    private var entries = EntryStorage()
    private var freeNumbers: [Int] = []
    private var index = HashIndex()
    private var receivers = HashIndex()
    private(set) var count = 0
    /// Entry numbers are below this.
    var numbersGiven: Int { entries.count }

    /// The payloads of durable groups that tails point into; the first one has number `firstGroup`.
    private var groups: [[UInt8]] = []
    /// Where their bytes are: an array that nobody changes keeps them at one address.
    private var groupBytes: [LentGroup] = []
    private(set) var firstGroup: UInt64 = 1
    /// Bytes of `groups`, and of what tails and changed entries take beside them.
    private(set) var tailBytes = 0

    /// The entries that changed since the last checkpoint took the list.
    var dirty: [Int32] = []
    /// The entries whose acknowledgement the journal lacks.
    var pendingAcknowledgements: [Int32] = []
    /// Clean entries, oldest first.
    private var evictionQueue: [Int32] = []
    private var evictionQueueStart = 0
    /// Counts evictions and compactions: whoever read a head outside the lock must find the count
    /// unchanged to bring it into memory.
    private(set) var loadsVoided: UInt64 = 0
    /// Everything through it is visible.
    var publishedPosition = JournalPosition.zero

    /// What an entry is taken to cost while it is changed, in bytes.
    static let entryCost = 192
    /// What a group is taken to cost beside its payload, in bytes.
    static let groupCost = 64

    init() {}

    subscript(number: Int) -> MailboxEntry {
        @inline(__always) unsafeAddress { unsafe entries.address(number) }
        @inline(__always) unsafeMutableAddress { unsafe entries.mutableAddress(number) }
    }

    /// The entry's number, nil when the mailbox is not in memory.
    @inline(__always)
    func find(_ key: MailboxKey) -> Int? {
        index.find(UInt32(truncatingIfNeeded: key.hash >> 32)) {
            entries[$0].key == key
        }
    }

    /// Whether memory can tell what this device wrote before, to the entry at `place`; never when
    /// `place` is negative.
    @inline(__always)
    func knows(_ device: DeviceID?, _ place: Int) -> Bool {
        guard place >= 0 else { return false }
        guard let device, entries[place].isInBase else { return true }
        return entries[place].producers.contains { $0.device == device }
    }

    // MARK: Asking for memory ahead

    /// Asks for the memory that an entry's next message will be noted in.
    @inline(__always)
    func prefetchTail(_ number: Int) { entries.prefetchTail(number) }

    /// Asks for the messages that these slots point at.
    func prefetchMessages(_ slots: ArraySlice<TailSlot>) {
        for slot in slots {
            groupBytes[place(of: slot)].prefetch(at: Int(slot.offset))
        }
    }

    /// Asks for the part of the index where a key with this hash is looked for.
    @inline(__always)
    func prefetchIndex(_ hash: UInt64) {
        index.prefetch(UInt32(truncatingIfNeeded: hash >> 32))
    }

    /// Asks for the entry that a key with this hash most likely has.
    @inline(__always)
    func prefetchEntry(_ hash: UInt64) {
        if let number = index.find(UInt32(truncatingIfNeeded: hash >> 32), where: { _ in true }) {
            entries.prefetch(number)
        }
    }

    // MARK: Adding

    /// Takes a mailbox into memory. Precondition: it is not there.
    mutating func insert(_ entry: MailboxEntry) -> Int {
        assert(find(entry.key) == nil)
        let number: Int
        if let free = freeNumbers.popLast() {
            number = free
            self[number] = entry
        } else {
            number = entries.count
            entries.append(entry)
        }
        count += 1
        index.insert(UInt32(truncatingIfNeeded: entry.key.hash >> 32), number)
        linkToReceiver(number)
        return number
    }

    // MARK: The receivers' lists

    private func firstOfReceiver(_ key: MailboxKey) -> Int? {
        receivers.find(key.receiverHash) {
            entries[$0].key.hasSameReceiver(as: key)
        }
    }

    private mutating func linkToReceiver(_ number: Int) {
        let key = self[number].key
        guard let first = firstOfReceiver(key) else {
            receivers.insert(key.receiverHash, number)
            return
        }
        // Behind the first, so that the index need not change.
        let second = self[first].nextOfReceiver
        self[number].previousOfReceiver = Int32(first)
        self[number].nextOfReceiver = second
        self[first].nextOfReceiver = Int32(number)
        if second >= 0 { self[Int(second)].previousOfReceiver = Int32(number) }
    }

    private mutating func unlinkFromReceiver(_ number: Int) {
        let previous = self[number].previousOfReceiver
        let next = self[number].nextOfReceiver
        if next >= 0 { self[Int(next)].previousOfReceiver = previous }
        if previous >= 0 {
            self[Int(previous)].nextOfReceiver = next
        } else {
            let hash = self[number].key.receiverHash
            if next >= 0 {
                receivers.replace(hash, number, with: Int(next))
            } else {
                receivers.remove(hash, number)
            }
        }
        self[number].previousOfReceiver = -1
        self[number].nextOfReceiver = -1
    }

    /// Calls `body` with each of the receiver's mailboxes that is in memory, in no order.
    func forEachOfReceiver(_ receiver: Address, _ body: (borrowing MailboxEntry) -> Void) {
        guard var number = firstOfReceiver(MailboxKey(receiver: receiver)) else { return }
        while true {
            body(self[number])
            let next = self[number].nextOfReceiver
            if next < 0 { return }
            number = Int(next)
        }
    }

    // MARK: Groups

    /// The payload of a group that tails still point into.
    @inline(__always)
    func payload(_ slot: TailSlot) -> [UInt8] { groups[place(of: slot)] }

    /// A message of a tail, without a count of who looks at it: for the checkpoint thread, which
    /// alone lets go of groups.
    @inline(__always)
    func lend(_ slot: TailSlot) -> LentMessage {
        LentMessage(groupBytes[place(of: slot)], offset: Int(slot.offset))
    }

    @inline(__always)
    private func place(of slot: TailSlot) -> Int {
        // Groups are numbered modulo 2^32 in slots: the difference is small and right.
        Int(slot.group &- UInt32(truncatingIfNeeded: firstGroup))
    }

    /// Adds a durable group, which must be the one behind the newest.
    mutating func appendGroup(_ payload: [UInt8], at position: JournalPosition) {
        if groups.isEmpty { firstGroup = position.rawValue }
        precondition(position.rawValue == firstGroup + UInt64(groups.count))
        groups.append(payload)
        groupBytes.append(LentGroup(payload))
        tailBytes += payload.count + Self.groupCost
    }

    /// Lets go of every group through `position`. Precondition: no tail points into them.
    mutating func releaseGroups(through position: JournalPosition) {
        guard position.rawValue >= firstGroup else { return }
        let released = min(groups.count, Int(position.rawValue - firstGroup + 1))
        for group in groups[..<released] { tailBytes -= group.count + Self.groupCost }
        groups.removeFirst(released)
        groupBytes.removeFirst(released)
        firstGroup += UInt64(released)
    }

    // MARK: Changes

    /// Puts the entry on the list for the next checkpoint.
    @inline(__always)
    mutating func markDirty(_ number: Int) {
        if !self[number].isDirty {
            self[number].isDirty = true
            dirty.append(Int32(truncatingIfNeeded: number))
            tailBytes += Self.entryCost
        }
    }

    /// A checkpoint is about to write the entry: later changes put it on the list anew.
    mutating func markClean(_ number: Int) {
        assert(self[number].isDirty)
        self[number].isDirty = false
        self[number].isInCheckpoint = true
        tailBytes -= Self.entryCost
    }

    /// Raises the acknowledged watermark, and has it written with the next group.
    mutating func acknowledge(_ number: Int, through sequence: SequenceNumber) -> Bool {
        guard sequence > self[number].acknowledged else { return false }
        assert(sequence <= self[number].visibleMax)
        self[number].acknowledged = sequence
        if !self[number].isAcknowledgementPending {
            self[number].isAcknowledgementPending = true
            pendingAcknowledgements.append(Int32(truncatingIfNeeded: number))
        }
        markDirty(number)
        return true
    }

    /// Drops those from the list that a checkpoint wrote meanwhile.
    mutating func forgetWrittenAcknowledgements() {
        pendingAcknowledgements = pendingAcknowledgements.filter {
            self[Int($0)].isAcknowledgementPending
        }
    }

    /// A compaction changed heads of the data file.
    mutating func noteTrim() { loadsVoided += 1 }

    // MARK: Eviction

    /// The entry may leave memory when others need the room.
    mutating func queueForEviction(_ number: Int) {
        guard !self[number].isEvictionQueued else { return }
        self[number].isEvictionQueued = true
        self[number].isRecentlyUsed = false
        evictionQueue.append(Int32(truncatingIfNeeded: number))
    }

    /// Forgets clean entries until at most `limit` are left, or none more may go; at most `atMost`
    /// now.
    ///
    /// Only in the commit turn: entry numbers are given to others here.
    ///
    /// - Returns: true when more could go.
    mutating func evict(downTo limit: Int, atMost: Int) -> Bool {
        var examined = 0
        while count > limit, evictionQueueStart < evictionQueue.count {
            if examined == atMost { return true }
            examined += 1
            let number = Int(evictionQueue[evictionQueueStart])
            evictionQueueStart += 1
            self[number].isEvictionQueued = false
            guard self[number].isClean else { continue }
            if self[number].isRecentlyUsed {
                queueForEviction(number)
                continue
            }
            unlinkFromReceiver(number)
            index.remove(UInt32(truncatingIfNeeded: self[number].key.hash >> 32), number)
            self[number].producers = []
            freeNumbers.append(number)
            count -= 1
            loadsVoided += 1
        }
        if evictionQueueStart > 65_536, evictionQueueStart * 2 > evictionQueue.count {
            evictionQueue.removeFirst(evictionQueueStart)
            evictionQueueStart = 0
        }
        return false
    }
}
