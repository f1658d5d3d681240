internal import Mailbox
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

extension AdminService {
    @Sendable
    func getStats(
        _ request: Wire.AdminService.Method.GetStats.Input
    ) async throws -> Wire.GetStatsResponse {
        let store = core.store
        let statistics = try await core.reads.run { () throws(StoreError) in
            try store.statistics()
        }
        var response = Wire.GetStatsResponse(statistics)
        let activity = core.activity
        let second = activity.second
        response.epoch = store.epoch.rawValue
        response.uptimeMilliseconds = activity.uptime.wholeMicroseconds / 1_000
        response.appendLatency = .init(activity.appendLatency.summary(second: second))
        response.fetchLatency = .init(activity.fetchLatency.summary(second: second))
        response.syncLatency = .init(activity.syncLatency.summary(second: second))
        response.fetchedMessages = activity.fetchedMessageCount
        response.busiest = activity.busy.busiest(20, second: second).map { entry in
            .with {
                $0.mailbox = Wire.MailboxID(entry.mailbox)
                $0.appendsPerSecond = entry.appendsPerSecond
            }
        }
        return response
    }
}

extension Wire.GetStatsResponse {
    fileprivate init(_ statistics: StoreStatistics) {
        self.init()
        appendedMessages = statistics.appendedMessages
        appendedBodyBytes = statistics.appendedBodyBytes
        duplicates = statistics.duplicates
        groups = statistics.groups
        journalBytesWritten = statistics.journalBytesWritten
        journalBytesUsed = UInt64(clamping: statistics.journalBytesUsed)
        journalBytesAllotted = UInt64(clamping: statistics.journalBytesAllotted)
        queueBytes = UInt64(clamping: statistics.queueBytes)
        tailBytes = UInt64(clamping: statistics.tailBytes)
        mailboxesInMemory = UInt64(clamping: statistics.mailboxesInMemory)
        checkpoints = statistics.checkpoints
        checkpointFailures = statistics.checkpointFailures
        checkpointedMessages = statistics.checkpointedMessages
        neverCheckpointedMessages = statistics.neverCheckpointedMessages
        recoveredRecords = statistics.recoveredRecords
        removedMessages = UInt64(clamping: statistics.removedMessages)
        dataBytesUsed = UInt64(clamping: statistics.dataBytesUsed)
        dataBytesFree = UInt64(clamping: statistics.dataBytesFree)
        mapBytes = UInt64(clamping: statistics.mapBytes)
        readers = UInt64(clamping: statistics.readers)
        oldestReaderLag = UInt64(clamping: statistics.oldestReaderLag)
        watchers = UInt64(clamping: statistics.watchers)
        condition = statistics.condition ?? ""
    }
}

extension Mailbox_Store_V1_LatencySummary {
    fileprivate init(_ summary: LatencyWindow.Summary) {
        self.init()
        count = summary.count
        p50Microseconds = summary.p50
        p99Microseconds = summary.p99
        p999Microseconds = summary.p999
        maximumMicroseconds = summary.maximum
    }
}
