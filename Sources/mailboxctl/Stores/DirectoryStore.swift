import Mailbox
import StoreEngine

/// A store in a directory, which this process has open. What an engine does blocks.
struct DirectoryStore: OperatedStore {
    let store: MailboxStore
    let path: String

    var messages: any MailboxStorage { store }

    func messageBytesMaximum() async throws -> Int { store.configuration.messageBytesMaximum }

    func mailboxes(after: MailboxID?, limit: Int) async throws -> HeadPage {
        let page = try store.mailboxes(after: after, limit: limit)
        return HeadPage(entries: page.entries.map { ($0.mailbox, $0.head) }, next: page.next)
    }

    func standing() async throws -> StoreStanding {
        let statistics = try store.statistics()
        return StoreStanding(
            epoch: store.epoch, shardCount: store.shardCount, condition: statistics.condition,
            recoveredRecords: UInt64(clamping: statistics.recoveredRecords),
            journalBytesUsed: UInt64(clamping: statistics.journalBytesUsed),
            journalBytesAllotted: UInt64(clamping: statistics.journalBytesAllotted),
            dataBytesUsed: UInt64(clamping: statistics.dataBytesUsed),
            dataBytesFree: UInt64(clamping: statistics.dataBytesFree),
            mapBytes: UInt64(clamping: statistics.mapBytes),
            diskBytes: DiskUsage.bytes(of: path))
    }

    func verify(_ progress: @escaping @Sendable (Int, Int) -> Void) async throws -> VerifySummary {
        let report = try store.verify { progress($0.records, $0.recordsExpected) }
        return VerifySummary(
            mailboxes: UInt64(clamping: report.mailboxes),
            messages: UInt64(clamping: report.messages), bodyBytes: report.bodyBytes,
            producers: UInt64(clamping: report.producers),
            journalGroups: UInt64(clamping: report.journalGroups),
            problemCount: UInt64(clamping: report.problemCount), problems: report.problems)
    }

    func backup(to path: String) async throws -> BackupSummary {
        let report = try store.backup(to: path)
        return BackupSummary(diskBytes: report.bytes, epoch: report.epoch)
    }
}
