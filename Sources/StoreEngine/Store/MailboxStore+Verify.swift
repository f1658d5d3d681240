public import Mailbox

/// What a verification found.
public struct VerifyReport: Hashable, Sendable {
    /// Mailboxes in the data files.
    public var mailboxes = 0
    /// Messages in the data files.
    public var messages = 0
    /// Their body bytes.
    public var bodyBytes: UInt64 = 0
    /// Producers (a device in a mailbox).
    public var producers = 0
    /// Groups in the journals that wait for a checkpoint.
    public var journalGroups = 0
    /// What is wrong, in words: the first hundred.
    public private(set) var problems: [String] = []
    /// How much is wrong.
    public private(set) var problemCount = 0

    /// Nothing is wrong.
    public var isSound: Bool { problemCount == 0 }

    mutating func add(_ problem: String) {
        problemCount += 1
        if problems.count < 100 { problems.append(problem) }
    }
}

/// How far a verification is.
public struct VerifyProgress: Hashable, Sendable {
    /// Records that were checked.
    public var records: Int
    /// Records that there are, about.
    public var recordsExpected: Int
}

extension MailboxStore {
    /// Checks every record: checksums, sequences without holes, heads that tell the truth,
    /// producers, the list of waiting mailboxes, and the journals' groups.
    ///
    /// Beside live traffic, in short reads. Blocks for as long as reading all of the data takes.
    ///
    /// - Parameter progress: called now and then.
    /// - Returns: what was found; damage is reported, not thrown.
    /// - Throws: `failed` when a file cannot be read at all, `closed`.
    public func verify(
        progress: ((VerifyProgress) -> Void)? = nil
    ) throws(StoreError) -> VerifyReport {
        try whileOpen { () throws(StoreError) in
            var report = VerifyReport()
            var done = 0
            for shard in shards {
                var verification = Verification(shard: shard, report: report, recordsBefore: done)
                try verification.run(progress)
                report = verification.report
                done = verification.records
            }
            return report
        }
    }
}
