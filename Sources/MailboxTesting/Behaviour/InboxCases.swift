internal import Mailbox

extension BehaviourSuite {
    static let inboxCases: [BehaviourCase] = [
        BehaviourCase("inbox: nobody wrote", inboxEmpty),
        BehaviourCase("inbox: senders come shorter first, then by bytes", inboxOrder),
        BehaviourCase("inbox: it lists one receiver's mailboxes alone", inboxOneReceiver),
        BehaviourCase("inbox: the heads are those of the mailboxes", inboxHeads),
        BehaviourCase("inbox: pages of every size join without holes", inboxPages),
        BehaviourCase("inbox: after may be a sender who never wrote", inboxAfterAnyone),
        BehaviourCase("inbox: limits are 1 to 10 000", inboxLimits),
        BehaviourCase("inbox: what is confirmed and removed is listed still", inboxAfterRemoval),
    ]

    private static func senders(_ page: InboxPage) -> [String] {
        page.entries.map { $0.sender.description }
    }

    private static func inboxEmpty(_ fixture: Fixture) async throws {
        try await fixture.fill(try MailboxID(sender: "bob", receiver: "alice"), 1)
        let page = try await fixture.store.inbox(try Address("bob"), after: nil, limit: 10)
        try expectEqual(page, InboxPage(entries: [], next: nil), "the inbox of who only sent")
    }

    private static func inboxOrder(_ fixture: Fixture) async throws {
        for sender in ["zz", "b", "aaa", "a", "Z", "é", "aa", "z"] {
            try await fixture.fill(try MailboxID(sender: sender, receiver: "bob"), 1)
        }
        let page = try await fixture.store.inbox(try Address("bob"), after: nil, limit: 100)
        try expectEqual(
            senders(page), ["Z", "a", "b", "z", "aa", "zz", "é", "aaa"], "the senders in order")
        try expectEqual(page.next, nil, "where the next page begins")
    }

    private static func inboxOneReceiver(_ fixture: Fixture) async throws {
        for receiver in ["bo", "bob", "bobb", "boc"] {
            for sender in ["alice", receiver, "carol"] {
                try await fixture.fill(try MailboxID(sender: sender, receiver: receiver), 1)
            }
        }
        let page = try await fixture.store.inbox(try Address("bob"), after: nil, limit: 100)
        try expectEqual(senders(page), ["bob", "alice", "carol"], "who wrote to bob")
    }

    private static func inboxHeads(_ fixture: Fixture) async throws {
        let receiver = try Address("bob")
        for (sender, count, confirmed) in [("alice", 5, 2), ("carol", 1, 0), ("dave", 3, 3)] {
            let mailbox = try MailboxID(sender: sender, receiver: "bob")
            try await fixture.fill(mailbox, count)
            try await fixture.acknowledge(mailbox, SequenceNumber(confirmed))
        }
        let page = try await fixture.store.inbox(receiver, after: nil, limit: 100)
        try expectEqual(page.entries.map(\.head.max), [3, 5, 1], "newest sequences")
        try expectEqual(page.entries.map(\.head.waitingCount), [0, 3, 1], "waiting")
        for entry in page.entries {
            let mailbox = MailboxID(sender: entry.sender, receiver: receiver)
            try expectEqual(entry.head, try await fixture.store.head(mailbox), "\(mailbox)")
        }
    }

    private static func inboxPages(_ fixture: Fixture) async throws {
        let receiver = try Address("bob")
        let all = (0..<24).map { "sender\($0)" }.sorted { ($0.count, $0) < ($1.count, $1) }
        for sender in all {
            try await fixture.fill(try MailboxID(sender: sender, receiver: "bob"), 1)
        }
        for limit in [1, 2, 5, 12, 23, 24, 25] {
            var listed: [String] = []
            var after: Address?
            repeat {
                let page = try await fixture.store.inbox(receiver, after: after, limit: limit)
                listed += senders(page)
                after = page.next
                try expectEqual(
                    page.next, listed.count < 24 ? page.entries.last?.sender : nil,
                    "where the next page begins")
            } while after != nil && listed.count <= 24
            try expectEqual(listed, all, "pages of \(limit)")
        }
    }

    private static func inboxAfterAnyone(_ fixture: Fixture) async throws {
        for sender in ["b", "d", "bb"] {
            try await fixture.fill(try MailboxID(sender: sender, receiver: "bob"), 1)
        }
        for (after, expected) in [
            ("a", ["b", "d", "bb"]), ("b", ["d", "bb"]), ("c", ["d", "bb"]), ("z", ["bb"]),
            ("aa", ["bb"]), ("bb", []), ("aaa", []),
        ] {
            let page = try await fixture.store.inbox(
                try Address("bob"), after: try Address(after), limit: 10)
            try expectEqual(senders(page), expected, "those after \(after)")
        }
    }

    private static func inboxLimits(_ fixture: Fixture) async throws {
        let receiver = try Address("bob")
        try await fixture.fill(try fixture.mailbox, 1)
        for limit in [0, -1, .min, 10_001, .max] {
            try await expectRefusal(.invalidArgument, "limit \(limit)") { () throws(StoreError) in
                try await fixture.store.inbox(receiver, after: nil, limit: limit)
            }
        }
        for limit in [1, 10_000] {
            let page = try await fixture.store.inbox(receiver, after: nil, limit: limit)
            try expectEqual(senders(page), ["alice"], "limit \(limit)")
            try expectEqual(page.next, nil, "where the next page begins")
        }
    }

    private static func inboxAfterRemoval(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 4)
        try await fixture.acknowledge(mailbox, 4)
        _ = try await fixture.store.compact(.unacknowledged)
        let page = try await fixture.store.inbox(mailbox.receiver, after: nil, limit: 10)
        try expectEqual(senders(page), ["alice"], "the senders")
        try expectEqual(page.entries.first?.head.max, 4, "the newest sequence")
        try expectEqual(page.entries.first?.head.storedCount, 0, "messages stored")
    }
}
