internal import Mailbox

/// What a shard keeps in memory of one mailbox that is active, or was lately.
///
/// Invariants, always: `floor ≤ acknowledged ≤ visibleMax ≤ allocatedMax`, `baseMax ≤ visibleMax`,
/// and `tail` has one slot for each of `baseMax + 1 … allocatedMax`. `allocatedMax` runs ahead of
/// `visibleMax` only while a group is on its way to the disk; no reader ever sees beyond
/// `visibleMax`.
struct MailboxEntry {
    var key: MailboxKey
    /// The newest sequence given out; the commit turn alone moves it.
    var allocatedMax: SequenceNumber
    /// The newest durable sequence: the head's max.
    var visibleMax: SequenceNumber
    var acknowledged: SequenceNumber
    var floor: SequenceNumber
    /// Everything through it is in the data file, or was removed.
    var baseMax: SequenceNumber
    var bodyBytes: UInt64
    var allocatedTimestamp: Int64
    var newestTimestamp: Int64
    /// Where the messages behind `baseMax` are.
    var tail: [TailSlot] = []
    /// The devices that wrote lately; those of the data file are loaded when they write.
    var producers: [ProducerEntry] = []
    /// The neighbours in the receiver's list, −1 at the ends.
    var previousOfReceiver: Int32 = -1
    var nextOfReceiver: Int32 = -1
    /// The data file has a head of this mailbox.
    var isInBase: Bool
    /// The data file lists this mailbox as one with waiting messages.
    var isWaitingInBase: Bool
    /// Changed since its last checkpoint: it stands in the table's list of changed ones.
    var isDirty = false
    /// A checkpoint took it and has not yet committed: its number must stay its own.
    var isInCheckpoint = false
    /// Its acknowledgement is to be written with the next group.
    var isAcknowledgementPending = false
    /// It stands in the queue of those that may leave memory.
    var isEvictionQueued = false
    /// Looked at since it was queued: it gets a second chance.
    var isRecentlyUsed = false

    init(key: MailboxKey, base: BaseHead) {
        self.key = key
        let head = base.head
        allocatedMax = head.max
        visibleMax = head.max
        acknowledged = head.acknowledged
        floor = head.floor
        baseMax = head.max
        bodyBytes = head.bodyBytes
        allocatedTimestamp = head.newestTimestampMilliseconds
        newestTimestamp = head.newestTimestampMilliseconds
        isInBase = base.exists
        isWaitingInBase = base.exists && head.max > head.acknowledged
    }

    /// A message is durable: readers may know.
    mutating func publish(_ allocation: GroupBuilder.Allocation) {
        visibleMax = allocation.sequence
        bodyBytes += UInt64(allocation.bodyBytes)
        newestTimestamp = allocation.timestamp
        isRecentlyUsed = true
    }

    var head: Head {
        Head(
            max: visibleMax, acknowledged: acknowledged, floor: floor, bodyBytes: bodyBytes,
            newestTimestampMilliseconds: newestTimestamp)
    }

    /// Nothing would be lost if memory forgot it.
    var isClean: Bool {
        !isDirty && !isInCheckpoint && !isAcknowledgementPending && tail.isEmpty
            && allocatedMax == visibleMax
            && producers.allSatisfy { $0.recent.isEmpty }
    }
}

/// Where a message of a tail is: the group's number and the message's first byte in the group's
/// payload.
struct TailSlot {
    var group: UInt32
    var offset: UInt32

    /// Whether the group is this one or an older one. Groups are numbered modulo 2^32; no two that
    /// are in memory are half of that apart.
    func isIn(groupsThrough position: JournalPosition) -> Bool {
        Int32(truncatingIfNeeded: group &- UInt32(truncatingIfNeeded: position.rawValue)) <= 0
    }
}

/// What the data file knows of a mailbox.
struct BaseHead {
    var head: Head
    var exists: Bool

    static let none = BaseHead(head: .empty, exists: false)
}

/// What memory knows of one producing device in one mailbox.
struct ProducerEntry {
    let device: DeviceID
    /// The last client sequence given a sequence.
    var last: ClientSequence
    /// One for each of the newest client sequences, `last` at the end; those before are in the data
    /// file.
    var recent: [ProducerRecord] = []

    /// The last client sequence whose message is durable.
    func visibleLast(visibleMax: SequenceNumber) -> ClientSequence {
        var last = last
        for record in recent.reversed() where record.sequence > visibleMax { last -= 1 }
        return last
    }
}

/// What is remembered of a producer's message: enough to answer a resend, and to tell other bytes.
struct ProducerRecord: Equatable {
    var sequence: SequenceNumber
    /// CRC-32C of the body, seeded with its length.
    var digest: UInt32

    static func digest(_ body: ArraySlice<UInt8>) -> UInt32 {
        checksum(body, seed: UInt32(truncatingIfNeeded: body.count))
    }

    /// The newest client sequences of a device for which the original sequence can be told.
    static let window: UInt32 = 1_024
}
