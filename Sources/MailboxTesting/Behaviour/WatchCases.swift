internal import Mailbox

/// A watch as a test listens to it: what it hears is checked against what a watch may say.
struct Listener {
    private var iterator: any AsyncIteratorProtocol<WatchEvent, StoreError>
    private let receivers: Set<Address>
    /// The newest head heard of each mailbox.
    private(set) var heads: [MailboxID: Head] = [:]

    init(_ store: any MailboxStorage, _ receivers: [Address]) async throws(StoreError) {
        iterator = try await store.watch(receivers).makeAsyncIterator()
        self.receivers = Set(receivers)
    }

    init(_ store: any MailboxStorage, _ receivers: String...) async throws(StoreError) {
        var addresses: [Address] = []
        for receiver in receivers { addresses.append(try Address(receiver)) }
        try await self.init(store, addresses)
    }

    /// The next event; nil when the watch ended.
    mutating func next() async throws -> WatchEvent? {
        let event = try await iterator.next(isolation: nil)
        if case .head(let mailbox, let head) = event {
            try expect(
                receivers.contains(mailbox.receiver), "\(mailbox) was not asked for, and told")
            if let before = heads[mailbox] {
                try expect(
                    head.max >= before.max && head.acknowledged >= before.acknowledged,
                    "\(mailbox): an older head was told after a newer one")
            }
            heads[mailbox] = head
        }
        return event
    }

    /// Listens until everything that waited was told.
    ///
    /// - Returns: the mailboxes that were told, in order.
    @discardableResult
    mutating func catchUp() async throws -> [MailboxID] {
        var told: [MailboxID] = []
        while let event = try await next() {
            guard case .head(let mailbox, _) = event else { return told }
            told.append(mailbox)
        }
        throw BehaviourFailure("the watch ended while catching up", file: #fileID, line: #line)
    }

    /// Listens until a head with this sequence, or a newer one, was heard.
    mutating func hear(_ mailbox: MailboxID, _ sequence: SequenceNumber) async throws {
        while (heads[mailbox]?.max ?? 0) < sequence {
            let event = try await next()
            try expect(event != nil, "the watch ended before \(mailbox) was at \(sequence)")
        }
    }
}

extension BehaviourSuite {
    static let watchCases: [BehaviourCase] = [
        BehaviourCase("watch: with nothing waiting it is caught up at once", watchNothing),
        BehaviourCase("watch: first what waits, then caught up", watchCatchUp),
        BehaviourCase("watch: what is confirmed does not wait", watchConfirmed),
        BehaviourCase("watch: then it hears each append", watchLive),
        BehaviourCase("watch: it hears a mailbox's first message", watchFirstMessage),
        BehaviourCase("watch: a slow watcher hears the newest head", watchCoalesces),
        BehaviourCase("watch: two watchers hear the same", watchTwo),
        BehaviourCase("watch: several receivers, and nobody else", watchSeveral),
        BehaviourCase("watch: what it tells is there to be fetched", watchThenFetch),
        BehaviourCase("watch: it ends when its task is cancelled", watchCancel),
        BehaviourCase("watch: none is lost among many at once", watchManyAtOnce),
    ]

    private static func watchNothing(_ fixture: Fixture) async throws {
        try await fixture.fill(try MailboxID(sender: "bob", receiver: "alice"), 1)
        var listener = try await Listener(fixture.store, "bob")
        try expectEqual(try await listener.next(), .caughtUp, "the first event")
    }

    private static func watchCatchUp(_ fixture: Fixture) async throws {
        for (sender, count) in [("alice", 3), ("carol", 1), ("dave", 2)] {
            try await fixture.fill(try MailboxID(sender: sender, receiver: "bob"), count)
        }
        var listener = try await Listener(fixture.store, "bob")
        let told = try await listener.catchUp()
        try expectEqual(
            Set(told.map(\.sender.description)), ["alice", "carol", "dave"], "who was told")
        try expectEqual(told.count, 3, "heads told before it was caught up")
        for (mailbox, head) in listener.heads {
            try expectEqual(head, try await fixture.store.head(mailbox), "\(mailbox)")
        }
    }

    private static func watchConfirmed(_ fixture: Fixture) async throws {
        for sender in ["alice", "carol"] {
            try await fixture.fill(try MailboxID(sender: sender, receiver: "bob"), 3)
        }
        try await fixture.acknowledge(try fixture.mailbox, 3)
        var listener = try await Listener(fixture.store, "bob")
        try expectEqual(
            try await listener.catchUp().map(\.sender.description), ["carol"], "who was told")
    }

    private static func watchLive(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 2)
        var listener = try await Listener(fixture.store, "bob")
        try await listener.catchUp()
        for expected in SequenceNumber(3)...10 {
            try await fixture.store(mailbox)
            try await listener.hear(mailbox, expected)
            try expectEqual(listener.heads[mailbox]?.max, expected, "the head heard")
        }
    }

    private static func watchFirstMessage(_ fixture: Fixture) async throws {
        var listener = try await Listener(fixture.store, "bob")
        try await listener.catchUp()
        for sender in ["alice", "carol", "dave"] {
            let mailbox = try MailboxID(sender: sender, receiver: "bob")
            try await fixture.store(mailbox)
            try await listener.hear(mailbox, 1)
        }
    }

    private static func watchCoalesces(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let other = try MailboxID(sender: "carol", receiver: "bob")
        var listener = try await Listener(fixture.store, "bob")
        try await listener.catchUp()
        for _ in 0..<10 {
            try await fixture.fill(mailbox, 10)
            try await fixture.fill(other, 1)
        }
        try await listener.hear(mailbox, 100)
        try await listener.hear(other, 10)
    }

    private static func watchTwo(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        var first = try await Listener(fixture.store, "bob")
        try await first.catchUp()
        try await fixture.fill(mailbox, 3)
        var second = try await Listener(fixture.store, "bob")
        try expectEqual(try await second.catchUp(), [mailbox], "what the second was told")
        try await first.hear(mailbox, 3)
        try await fixture.fill(mailbox, 3)
        try await second.hear(mailbox, 6)
        try await first.hear(mailbox, 6)
    }

    private static func watchSeveral(_ fixture: Fixture) async throws {
        for receiver in ["bob", "erin", "frank"] {
            try await fixture.fill(try MailboxID(sender: "alice", receiver: receiver), 1)
        }
        var listener = try await Listener(fixture.store, "bob", "erin")
        let told = try await listener.catchUp()
        try expectEqual(Set(told.map(\.receiver.description)), ["bob", "erin"], "who was told")
        for receiver in ["frank", "erin", "frank", "bob"] {
            try await fixture.fill(try MailboxID(sender: "alice", receiver: receiver), 1)
        }
        try await listener.hear(try MailboxID(sender: "alice", receiver: "bob"), 2)
        try await listener.hear(try MailboxID(sender: "alice", receiver: "erin"), 2)
    }

    private static func watchThenFetch(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let store = fixture.store
        var listener = try await Listener(store, "bob")
        try await listener.catchUp()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for _ in 0..<50 { _ = try await store.append(Append(mailbox, text: "hello")) }
            }
            while (listener.heads[mailbox]?.max ?? 0) < 50 {
                try expect(try await listener.next() != nil, "the watch ended")
                let told = listener.heads[mailbox]?.max ?? 0
                let fetched = try await store.fetch(mailbox, cursor: .zero, limit: .standard)
                try expect(
                    (fetched.messages.lastSequence ?? 0) >= told, "\(told) was told, and is there")
            }
            try await group.waitForAll()
        }
    }

    private static func watchCancel(_ fixture: Fixture) async throws {
        let store = fixture.store
        let (signals, signal) = AsyncStream.makeStream(of: Void.self)
        let task = Task {
            // A watch ends without an error, or with the store's; it may not go on.
            var listener = try await Listener(store, "bob")
            try await listener.catchUp()
            signal.yield()
            while try await listener.next() != nil {}
        }
        for await _ in signals { break }
        task.cancel()
        _ = await task.result
        try await fixture.fill(try fixture.mailbox, 3)
    }

    private static func watchManyAtOnce(_ fixture: Fixture) async throws {
        let store = fixture.store
        let mailboxes = try (0..<8).map { try MailboxID(sender: "s\($0)", receiver: "r\($0 % 2)") }
        var listener = try await Listener(store, "r0", "r1")
        try await withThrowingTaskGroup(of: Void.self) { group in
            for mailbox in mailboxes {
                group.addTask {
                    for _ in 0..<25 { _ = try await store.append(Append(mailbox, text: "hello")) }
                }
            }
            for mailbox in mailboxes { try await listener.hear(mailbox, 25) }
            try await group.waitForAll()
        }
        for mailbox in mailboxes {
            try expectEqual(listener.heads[mailbox]?.max, 25, "the newest head of \(mailbox)")
        }
    }
}
