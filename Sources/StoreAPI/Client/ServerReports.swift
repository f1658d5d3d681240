public import Mailbox

/// How far a verification of the server's store is.
public struct ServerVerifyProgress: Hashable, Sendable {
    /// Records that were checked.
    public var records: UInt64
    /// Records that there are, about.
    public var recordsExpected: UInt64
}

/// What a verification of the server's store found.
public struct ServerVerifyReport: Hashable, Sendable {
    /// Mailboxes that were checked.
    public var mailboxes: UInt64
    /// Messages that were checked.
    public var messages: UInt64
    /// Their body bytes.
    public var bodyBytes: UInt64
    /// Producers that were checked.
    public var producers: UInt64
    /// Groups of the journals that were checked.
    public var journalGroups: UInt64
    /// How much is wrong.
    public var problemCount: UInt64
    /// What is wrong, in words: the first hundred.
    public var problems: [String]

    /// Nothing is wrong.
    public var isSound: Bool { problemCount == 0 }
}

/// What a backup of the server's store holds.
public struct ServerBackupReport: Hashable, Sendable {
    /// The bytes of all files.
    public var bytes: UInt64
    /// The epoch of the store that it was made of. Restoring mints another.
    public var epoch: Epoch
    /// The number of files.
    public var files: Int
}

/// A page of all mailboxes of the server's store, ordered by receiver, then sender.
public struct ServerMailboxPage: Hashable, Sendable {
    /// One mailbox.
    public struct Entry: Hashable, Sendable {
        /// Which mailbox.
        public var mailbox: MailboxID
        /// What the store knows of it.
        public var head: Head
    }

    /// The page's mailboxes.
    public var entries: [Entry]
    /// Where the next page begins (`after:`); nil when this is the last.
    public var next: MailboxID?
}

extension ServerVerifyProgress {
    init(wire: Mailbox_Store_V1_VerifyResponse.Progress) {
        self.init(records: wire.records, recordsExpected: wire.recordsExpected)
    }
}

extension ServerVerifyReport {
    init(wire: Mailbox_Store_V1_VerifyResponse.Report) {
        self.init(
            mailboxes: wire.mailboxes, messages: wire.messages, bodyBytes: wire.bodyBytes,
            producers: wire.producers, journalGroups: wire.journalGroups,
            problemCount: wire.problemCount, problems: wire.problems)
    }
}

extension ServerMailboxPage {
    init(wire: Wire.ListMailboxesResponse) throws(StoreError) {
        var entries: [Entry] = []
        for entry in wire.entries {
            let (mailbox, head) = try entry.decoded()
            entries.append(Entry(mailbox: mailbox, head: head))
        }
        self.init(
            entries: entries, next: wire.hasNext ? try MailboxID(wire: wire.next) : nil)
    }
}
