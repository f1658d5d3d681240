import Mailbox
import StoreAPI

/// A store behind a daemon.
struct DaemonStore: OperatedStore {
    let client: StoreClient

    var messages: any MailboxStorage { client }

    func messageBytesMaximum() async throws -> Int { try await client.info().messageBytesMaximum }

    func mailboxes(after: MailboxID?, limit: Int) async throws -> HeadPage {
        let page = try await client.mailboxes(after: after, limit: limit)
        return HeadPage(entries: page.entries.map { ($0.mailbox, $0.head) }, next: page.next)
    }

    func standing() async throws -> StoreStanding {
        let shardCount = try await client.info().shardCount
        let statistics = try await client.statistics()
        return StoreStanding(
            epoch: statistics.epoch, shardCount: shardCount, condition: statistics.condition,
            recoveredRecords: statistics.recoveredRecords,
            journalBytesUsed: statistics.journalBytesUsed,
            journalBytesAllotted: statistics.journalBytesAllotted,
            dataBytesUsed: statistics.dataBytesUsed, dataBytesFree: statistics.dataBytesFree,
            mapBytes: statistics.mapBytes, diskBytes: nil)
    }

    func verify(_ progress: @escaping @Sendable (Int, Int) -> Void) async throws -> VerifySummary {
        let report = try await client.verify { step in
            progress(Int(clamping: step.records), Int(clamping: step.recordsExpected))
        }
        return VerifySummary(
            mailboxes: report.mailboxes, messages: report.messages, bodyBytes: report.bodyBytes,
            producers: report.producers, journalGroups: report.journalGroups,
            problemCount: report.problemCount, problems: report.problems)
    }

    func backup(to path: String) async throws -> BackupSummary {
        let report = try await client.backup(to: path)
        return BackupSummary(
            diskBytes: UInt64(clamping: DiskUsage.bytes(of: path)), epoch: report.epoch)
    }
}
