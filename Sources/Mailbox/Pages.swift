/// How much an answer may hold. At least one message comes when one is there, whatever its size.
public struct PageLimit: Hashable, Sendable {
    /// At most this many messages, from 1; a store may have a lower limit of its own.
    public var messages: Int
    /// At most this many body bytes, from 1, but for a first message that is larger.
    public var bytes: Int

    /// A limit by count and by body bytes.
    public init(messages: Int = 100, bytes: Int = 1 << 20) {
        self.messages = messages
        self.bytes = bytes
    }

    /// 100 messages or 1 MiB, whichever comes first.
    public static let standard = PageLimit()

    /// - Throws: `invalidArgument` when a limit is below 1.
    package func check() throws(StoreError) {
        guard messages >= 1 else {
            throw .invalidArgument("the limit is \(messages) messages; it must be at least 1")
        }
        guard bytes >= 1 else {
            throw .invalidArgument("the limit is \(bytes) bytes; it must be at least 1")
        }
    }
}

/// The answer to a fetch or a read.
public struct FetchResult: Sendable {
    /// In order of sequence, without holes.
    public var messages: MessageBatch
    /// True when more are there than the limits let through.
    public var hasMore: Bool
    /// The mailbox's head when the answer was made.
    public var head: Head
    /// The epoch that the sequences belong to: to be kept with the cursor.
    public var epoch: Epoch

    /// The answer to a fetch or a read.
    public init(messages: MessageBatch, hasMore: Bool, head: Head, epoch: Epoch) {
        self.messages = messages
        self.hasMore = hasMore
        self.head = head
        self.epoch = epoch
    }
}

/// A page of a receiver's mailboxes, ordered by sender.
public struct InboxPage: Hashable, Sendable {
    /// One sender's mailbox.
    public struct Entry: Hashable, Sendable {
        /// Who wrote.
        public var sender: Address
        /// What the store knows of that mailbox.
        public var head: Head

        /// One sender's mailbox.
        public init(sender: Address, head: Head) {
            self.sender = sender
            self.head = head
        }
    }

    /// The page's mailboxes.
    public var entries: [Entry]
    /// Where the next page begins (`after:`); nil when this is the last.
    public var next: Address?

    /// A page of a receiver's mailboxes.
    public init(entries: [Entry], next: Address?) {
        self.entries = entries
        self.next = next
    }
}

/// The answer to a sync: what a receiver lacks, over all senders.
public struct SyncResult: Sendable {
    /// One sender's part.
    public struct Entry: Sendable {
        /// Who wrote.
        public var sender: Address
        /// As a fetch from that mailbox would have answered.
        public var result: FetchResult

        /// One sender's part.
        public init(sender: Address, result: FetchResult) {
            self.sender = sender
            self.result = result
        }
    }

    /// Mailboxes with messages for the receiver, ordered by sender.
    public var entries: [Entry]
    /// True when more waits, in these mailboxes or in others: ask again with the new cursors.
    public var hasMore: Bool
    /// The epoch that the sequences belong to.
    public var epoch: Epoch

    /// The answer to a sync.
    public init(entries: [Entry], hasMore: Bool, epoch: Epoch) {
        self.entries = entries
        self.hasMore = hasMore
        self.epoch = epoch
    }
}

/// Which messages compaction may remove. None removes a message above the acknowledged watermark.
public enum RetentionPolicy: Hashable, Sendable {
    /// Store and forward: nothing that is acknowledged is kept.
    case unacknowledged
    /// Acknowledged messages are kept until they are this old, in milliseconds, from 0.
    case acknowledged(forMilliseconds: Int64)
    /// The newest messages of each mailbox are kept, acknowledged or not; all others once
    /// acknowledged.
    case newest(UInt32)
}

/// What a compaction did.
public struct CompactionReport: Hashable, Sendable {
    /// Mailboxes that were looked at.
    public var mailboxesExamined: Int
    /// Mailboxes that lost messages.
    public var mailboxesCompacted: Int
    /// Messages that were removed.
    public var messagesRemoved: Int
    /// Their body bytes.
    public var bodyBytesRemoved: UInt64

    /// What a compaction did.
    public init(
        mailboxesExamined: Int = 0, mailboxesCompacted: Int = 0, messagesRemoved: Int = 0,
        bodyBytesRemoved: UInt64 = 0
    ) {
        self.mailboxesExamined = mailboxesExamined
        self.mailboxesCompacted = mailboxesCompacted
        self.messagesRemoved = messagesRemoved
        self.bodyBytesRemoved = bodyBytesRemoved
    }
}

/// What a watcher hears.
public enum WatchEvent: Hashable, Sendable {
    /// A mailbox's head moved: this is its newest. Events of one mailbox are coalesced, never lost.
    case head(MailboxID, Head)
    /// Everything that waited when the watch began (or began anew after falling behind) was said.
    case caughtUp
}
