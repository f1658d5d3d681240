/// One message as a store hands it out.
public struct Message: Hashable, Sendable {
    /// Its number in its mailbox, from 1.
    public var sequence: SequenceNumber
    /// When it was stored, in milliseconds since 1970; non-decreasing within a mailbox.
    public var timestampMilliseconds: Int64
    /// How the sending device numbered it; nil when it was sent without.
    public var producer: Producer?
    /// Its bytes. The slice's indices start anywhere: use `startIndex`, or `Array(body)`.
    public var body: ArraySlice<UInt8>

    /// A message as a store hands it out.
    public init(
        sequence: SequenceNumber, timestampMilliseconds: Int64, producer: Producer? = nil,
        body: ArraySlice<UInt8>
    ) {
        self.sequence = sequence
        self.timestampMilliseconds = timestampMilliseconds
        self.producer = producer
        self.body = body
    }
}

/// One message to be stored.
public struct Append: Hashable, Sendable {
    /// Where it goes.
    public var mailbox: MailboxID
    /// How the sending device numbers it; nil makes every append a new message.
    public var producer: Producer?
    /// Its bytes: may be empty, at most the store's limit (256 KiB unless configured otherwise).
    public var body: ArraySlice<UInt8>

    /// A message from bytes.
    public init(_ mailbox: MailboxID, producer: Producer? = nil, body: [UInt8]) {
        self.init(mailbox, producer: producer, body: body[...])
    }

    /// A message from a slice, which is not copied.
    public init(_ mailbox: MailboxID, producer: Producer? = nil, body: ArraySlice<UInt8>) {
        self.mailbox = mailbox
        self.producer = producer
        self.body = body
    }

    /// A message from text.
    public init(_ mailbox: MailboxID, producer: Producer? = nil, text: String) {
        self.init(mailbox, producer: producer, body: Array(text.utf8))
    }
}

/// How safe an append was when it was answered.
public enum Durability: String, Hashable, Sendable, CaseIterable {
    /// On stable storage (`fdatasync`) before the answer. The default, and what the contract is
    /// about.
    case commit
    /// Handed to the operating system; synced at a fixed interval. A power cut can lose that
    /// interval.
    case interval
    /// Handed to the operating system, which writes when it likes. A power cut can lose it.
    case system
}

/// What became of one append.
public struct AppendResult: Hashable, Sendable {
    /// The message's sequence. For a duplicate the original's, nil when the store can no longer
    /// tell it.
    public var sequence: SequenceNumber?
    /// True when this client sequence was stored before, and nothing was stored now.
    public var isDuplicate: Bool
    /// The level under which this answer was given.
    public var durability: Durability
    /// When the message was stored, in milliseconds since 1970: what a fetch will say of it. nil
    /// for a duplicate: a fetch says it.
    public var timestampMilliseconds: Int64?
    /// The epoch that the sequence belongs to. nil when a server did not tell it.
    public var epoch: Epoch?
    /// True when an answer was lost on the way from the store, and what this append was in was
    /// sent again in between: a duplicate may then be a duplicate of itself. A store that is in
    /// this process never says so.
    public var wasResent: Bool

    /// What became of one append.
    public init(
        sequence: SequenceNumber?, isDuplicate: Bool, durability: Durability,
        timestampMilliseconds: Int64? = nil, epoch: Epoch? = nil, wasResent: Bool = false
    ) {
        self.sequence = sequence
        self.isDuplicate = isDuplicate
        self.durability = durability
        self.timestampMilliseconds = timestampMilliseconds
        self.epoch = epoch
        self.wasResent = wasResent
    }
}
