package import Mailbox
internal import SwiftProtobuf

extension ServerStatistics {
    /// What came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.GetStatsResponse) throws(StoreError) {
        self.init(epoch: try Epoch(wire: wire.epoch))
        appendedMessages = wire.appendedMessages
        appendedBodyBytes = wire.appendedBodyBytes
        duplicates = wire.duplicates
        groups = wire.groups
        journalBytesWritten = wire.journalBytesWritten
        journalBytesUsed = wire.journalBytesUsed
        journalBytesAllotted = wire.journalBytesAllotted
        queueBytes = wire.queueBytes
        tailBytes = wire.tailBytes
        mailboxesInMemory = wire.mailboxesInMemory
        checkpoints = wire.checkpoints
        checkpointFailures = wire.checkpointFailures
        checkpointedMessages = wire.checkpointedMessages
        neverCheckpointedMessages = wire.neverCheckpointedMessages
        recoveredRecords = wire.recoveredRecords
        removedMessages = wire.removedMessages
        dataBytesUsed = wire.dataBytesUsed
        dataBytesFree = wire.dataBytesFree
        mapBytes = wire.mapBytes
        readers = wire.readers
        oldestReaderLag = wire.oldestReaderLag
        watchers = wire.watchers
        uptimeMilliseconds = wire.uptimeMilliseconds
        fetchedMessages = wire.fetchedMessages
        condition = wire.condition.isEmpty ? nil : wire.condition
        appendLatency = Latency(wire: wire.appendLatency)
        fetchLatency = Latency(wire: wire.fetchLatency)
        syncLatency = Latency(wire: wire.syncLatency)
        for entry in wire.busiest {
            let mailbox = try MailboxID(wire: entry.hasMailbox ? entry.mailbox : nil)
            busiest.append(
                BusyMailbox(mailbox: mailbox, appendsPerSecond: entry.appendsPerSecond))
        }
    }
}

extension Wire.GetStatsResponse {
    /// The statistics as they go over the wire.
    package init(_ statistics: ServerStatistics) {
        self.init()
        appendedMessages = statistics.appendedMessages
        appendedBodyBytes = statistics.appendedBodyBytes
        duplicates = statistics.duplicates
        groups = statistics.groups
        journalBytesWritten = statistics.journalBytesWritten
        journalBytesUsed = statistics.journalBytesUsed
        journalBytesAllotted = statistics.journalBytesAllotted
        queueBytes = statistics.queueBytes
        tailBytes = statistics.tailBytes
        mailboxesInMemory = statistics.mailboxesInMemory
        checkpoints = statistics.checkpoints
        checkpointFailures = statistics.checkpointFailures
        checkpointedMessages = statistics.checkpointedMessages
        neverCheckpointedMessages = statistics.neverCheckpointedMessages
        recoveredRecords = statistics.recoveredRecords
        removedMessages = statistics.removedMessages
        dataBytesUsed = statistics.dataBytesUsed
        dataBytesFree = statistics.dataBytesFree
        mapBytes = statistics.mapBytes
        readers = statistics.readers
        oldestReaderLag = statistics.oldestReaderLag
        watchers = statistics.watchers
        uptimeMilliseconds = statistics.uptimeMilliseconds
        fetchedMessages = statistics.fetchedMessages
        condition = statistics.condition ?? ""
        epoch = statistics.epoch.rawValue
        appendLatency = .init(statistics.appendLatency)
        fetchLatency = .init(statistics.fetchLatency)
        syncLatency = .init(statistics.syncLatency)
        busiest = statistics.busiest.map { entry in
            .with {
                $0.mailbox = Wire.MailboxID(entry.mailbox)
                $0.appendsPerSecond = entry.appendsPerSecond
            }
        }
    }
}

extension ServerStatistics.Latency {
    fileprivate init(wire: Mailbox_Store_V1_LatencySummary) {
        count = wire.count
        p50Microseconds = wire.p50Microseconds
        p99Microseconds = wire.p99Microseconds
        p999Microseconds = wire.p999Microseconds
        maximumMicroseconds = wire.maximumMicroseconds
    }
}

extension Mailbox_Store_V1_LatencySummary {
    fileprivate init(_ latency: ServerStatistics.Latency) {
        self.init()
        count = latency.count
        p50Microseconds = latency.p50Microseconds
        p99Microseconds = latency.p99Microseconds
        p999Microseconds = latency.p999Microseconds
        maximumMicroseconds = latency.maximumMicroseconds
    }
}
