internal import Mailbox

extension StoreConfiguration {
    /// - Throws: `invalidArgument`, naming the first value that is out of its range.
    func check() throws(StoreError) {
        try Self.check("shardCount", shardCount, 1...64)
        try Self.check("syncIntervalMilliseconds", syncIntervalMilliseconds, 1...60_000)
        try Self.check("messageBytesMaximum", messageBytesMaximum, 1...(16 << 20))
        try Self.check("batchMessagesMaximum", batchMessagesMaximum, 1...1_048_576)
        try Self.check("queueBytesMaximum", queueBytesMaximum, (1 << 20)...(1 << 40))
        try Self.check("pageMessagesMaximum", pageMessagesMaximum, 1...1_000_000)
        try Self.check("pageBytesMaximum", pageBytesMaximum, 1...(1 << 30))
        try Self.check("tailBytesMaximum", tailBytesMaximum, tailBytesMinimum...(1 << 40))
        try Self.check("headCacheMaximum", headCacheMaximum, 16...(1 << 30))
        try Self.check(
            "checkpointIntervalMilliseconds", checkpointIntervalMilliseconds, 10...3_600_000)
        try Self.check("journalSegmentBytes", journalSegmentBytes, (64 << 10)...(1 << 30))
        guard journalSegmentBytes % JournalFrame.blockByteCount == 0 else {
            throw .invalidArgument("journalSegmentBytes must be a multiple of 4096")
        }
        try Self.check(
            "checkpointJournalBytes", checkpointJournalBytes, journalSegmentBytes...(1 << 40))
        try Self.check("mapBytesInitial", mapBytesInitial, (1 << 20)...(1 << 46))
        try Self.check("mapBytesMaximum", mapBytesMaximum, mapBytesInitial...(1 << 46))
        try Self.check("readersMaximum", readersMaximum, 1...65_535)
        try Self.check("watchersMaximum", watchersMaximum, 1...(1 << 30))
        try Self.check("watchBacklogMaximum", watchBacklogMaximum, 1...(1 << 30))
        guard messageBytesMaximum + 1_024 <= payloadBytesMaximum else {
            throw .invalidArgument(
                "messageBytesMaximum is \(messageBytesMaximum), which does not fit into a "
                    + "journal segment of "
                    + "\(journalSegmentBytes) bytes; make the segments larger")
        }
        try retention?.check()
    }

    /// The largest payload of a group: a segment without its header block and the frame's header.
    var payloadBytesMaximum: Int {
        journalSegmentBytes - JournalFrame.blockByteCount - JournalFrame.headerByteCount
    }

    private static func check(
        _ name: StaticString, _ value: Int, _ range: ClosedRange<Int>
    ) throws(StoreError) {
        guard range.contains(value) else {
            throw .invalidArgument(
                "\(name) is \(value); it must be \(range.lowerBound) to \(range.upperBound)")
        }
    }
}

extension RetentionPolicy {
    /// - Throws: `invalidArgument` for a negative duration.
    func check() throws(StoreError) {
        if case .acknowledged(let milliseconds) = self, milliseconds < 0 {
            throw .invalidArgument(
                "a retention of \(milliseconds) ms is negative; it must be from 0")
        }
    }
}
