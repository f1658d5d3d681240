public import Mailbox

/// A fresh store for one case of the suite, and the levers that its kind offers.
///
/// A lever that is nil is one that this kind of store lacks; cases that need it are skipped.
public struct Fixture: Sendable {
    /// What a fixture may offer beside the verbs.
    public enum Lever: Hashable, Sendable, CaseIterable {
        /// `clock`
        case clock
        /// `seed`
        case seed
        /// `close`
        case close
        /// `reopen`
        case reopen
        /// `restore`
        case restore
    }

    /// What a case wants of its store.
    public struct Options: Sendable {
        /// The store's own retention policy. The default keeps everything until `compact` is told
        /// otherwise.
        public var retention = RetentionPolicy.newest(.max)

        /// The options that most cases want.
        public init() {}
    }

    /// The store, empty at first.
    public var store: any MailboxStorage
    /// The store's largest body in bytes. From 4 096.
    public var messageBytesMaximum: Int
    /// The most appends in one call. From 128.
    public var batchMessagesMaximum: Int
    /// The clock that the store takes its time from.
    public var clock: ManualClock?
    /// Makes an untouched mailbox look as if everything through a sequence was stored, confirmed
    /// and removed.
    public var seed: (@Sendable (MailboxID, SequenceNumber) async throws -> Void)?
    /// Closes the store; its verbs are refused from here on.
    public var close: (@Sendable () async throws -> Void)?
    /// Closes the store and opens it again.
    public var reopen: (@Sendable () async throws -> any MailboxStorage)?
    /// Backs the store up, restores the backup elsewhere, and opens that.
    public var restore: (@Sendable () async throws -> any MailboxStorage)?
    /// Clears away; called once, when the case has run.
    public var tearDown: @Sendable () async -> Void

    /// A store without levers. It must answer at least 100 messages or 64 KiB a page.
    public init(
        store: any MailboxStorage, messageBytesMaximum: Int, batchMessagesMaximum: Int,
        tearDown: @escaping @Sendable () async -> Void = {}
    ) {
        self.store = store
        self.messageBytesMaximum = messageBytesMaximum
        self.batchMessagesMaximum = batchMessagesMaximum
        self.tearDown = tearDown
    }

    func has(_ lever: Lever) -> Bool {
        switch lever {
        case .clock: clock != nil
        case .seed: seed != nil
        case .close: close != nil
        case .reopen: reopen != nil
        case .restore: restore != nil
        }
    }
}

extension Fixture {
    /// The mailbox that most cases write to.
    var mailbox: MailboxID {
        get throws(StoreError) { try MailboxID(sender: "alice", receiver: "bob") }
    }

    /// A cursor of the store's own epoch.
    func cursor(_ sequence: SequenceNumber) async throws(StoreError) -> Cursor {
        Cursor(sequence, epoch: try await store.epoch)
    }

    /// Appends `count` messages without producers: small bodies, each different.
    func fill(_ mailbox: MailboxID, _ count: Int) async throws {
        var left = count
        while left > 0 {
            let batch = (0..<min(left, 50)).map { index in
                Append(mailbox, text: "\(mailbox.sender) \(left - index)")
            }
            for result in try await store.append(batch: batch) { _ = try result.get() }
            left -= batch.count
        }
    }

    /// Fetches with a cursor of the right epoch.
    func fetch(
        _ mailbox: MailboxID, _ sequence: SequenceNumber, limit: PageLimit = .standard
    ) async throws(StoreError) -> FetchResult {
        try await store.fetch(mailbox, cursor: try await cursor(sequence), limit: limit)
    }

    /// Confirms with a cursor of the right epoch.
    func acknowledge(
        _ mailbox: MailboxID, _ sequence: SequenceNumber
    ) async throws(StoreError) {
        _ = try await store.acknowledge(mailbox, through: try await cursor(sequence))
    }

    /// Everything that waits in a mailbox, page by page, confirming each page with the next fetch.
    func drain(_ mailbox: MailboxID, limit: PageLimit = .standard) async throws -> [Message] {
        var messages: [Message] = []
        var cursor = Cursor.zero
        while true {
            let page = try await store.fetch(mailbox, cursor: cursor, limit: limit)
            messages.append(contentsOf: page.messages)
            cursor = Cursor(page.messages.lastSequence ?? cursor.sequence, epoch: page.epoch)
            if !page.hasMore { return messages }
            try expect(!page.messages.isEmpty, "an answer that says hasMore brings a message")
        }
    }

    /// One append, which must be stored and not be a duplicate.
    @discardableResult
    func store(
        _ mailbox: MailboxID, _ device: String? = nil, _ clientSequence: ClientSequence = 0,
        text: String = "hello", file: StaticString = #fileID, line: UInt = #line
    ) async throws -> SequenceNumber {
        let producer = try device.map {
            Producer(device: try DeviceID($0), clientSequence: clientSequence)
        }
        let result = try await store.append(Append(mailbox, producer: producer, text: text))
        try expect(!result.isDuplicate, "a new message is no duplicate", file: file, line: line)
        guard let sequence = result.sequence else {
            throw BehaviourFailure("a stored message has a sequence", file: file, line: line)
        }
        return sequence
    }
}

extension Append {
    init(_ mailbox: MailboxID, _ device: String, _ number: ClientSequence, text: String = "hello")
        throws(StoreError)
    {
        self.init(
            mailbox,
            producer: Producer(device: try DeviceID(device), clientSequence: number), text: text)
    }
}
