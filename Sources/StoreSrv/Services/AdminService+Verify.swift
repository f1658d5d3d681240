internal import GRPCCore
internal import Mailbox
internal import StoreAPI
internal import StoreEngine
internal import SwiftProtobuf

extension AdminService {
    /// One check at a time. A check whose client is gone runs to its end, unheard.
    @Sendable
    func verify(
        _ request: Wire.AdminService.Method.Verify.Input,
        _ answers: RPCWriter<Wire.AdminService.Method.Verify.Output>
    ) async throws {
        try verifying.take()
        let store = core.store
        // The newest progress alone: a client that reads slowly hears less of it.
        let (progress, continuation) = AsyncStream.makeStream(
            of: VerifyProgress.self, bufferingPolicy: .bufferingNewest(1))
        let pool = core.maintenance
        let exclusive = verifying
        let check = Task {
            defer {
                exclusive.give()
                continuation.finish()
            }
            return try await pool.run { () throws(StoreError) in
                try store.verify { continuation.yield($0) }
            }
        }
        for await progress in progress {
            try await answers.write(
                .with {
                    $0.progress.records = UInt64(clamping: progress.records)
                    $0.progress.recordsExpected = UInt64(clamping: progress.recordsExpected)
                })
        }
        let report = try await check.value
        try await answers.write(
            .with {
                $0.report.mailboxes = UInt64(clamping: report.mailboxes)
                $0.report.messages = UInt64(clamping: report.messages)
                $0.report.bodyBytes = report.bodyBytes
                $0.report.producers = UInt64(clamping: report.producers)
                $0.report.journalGroups = UInt64(clamping: report.journalGroups)
                $0.report.problemCount = UInt64(clamping: report.problemCount)
                $0.report.problems = report.problems
            })
    }
}
