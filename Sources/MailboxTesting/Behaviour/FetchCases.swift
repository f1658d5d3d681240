internal import Mailbox

extension BehaviourSuite {
    static let fetchCases: [BehaviourCase] = [
        BehaviourCase("fetch: max 150, cursor 100 brings 101 … 150 and confirms 100", fetchCase1),
        BehaviourCase("fetch: max 200, cursor 150 brings 151 … 200 and confirms 150", fetchCase2),
        BehaviourCase(
            "fetch: max 200, confirmed 150, cursor 120 brings 151 … 200, never 121 … 150",
            fetchCase3),
        BehaviourCase("fetch: a lost answer costs nothing", lostAnswer),
        BehaviourCase("fetch: a mailbox that nobody wrote to is empty", neverWritten),
        BehaviourCase("fetch: a cursor at the newest message brings nothing", atTheEnd),
        BehaviourCase("fetch: what is appended later comes next", laterComesNext),
        BehaviourCase("fetch: the answer has the head and the epoch", answersHead),
        BehaviourCase("fetch: it confirms exactly its cursor", confirmsExactly),
        BehaviourCase("fetch: messages of two mailboxes never mix", neverMix),
    ]

    private static func fetchCase1(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 150)
        let before = try await fixture.store.head(mailbox)
        try expectEqual(before.max, 150, "max before")
        try expectEqual(before.acknowledged, 0, "acknowledged before")
        let result = try await fixture.fetch(mailbox, 100)
        try expectEqual(result.messages.sequences, Array(101...150), "messages")
        try expectEqual(result.hasMore, false, "hasMore")
        try expectEqual(result.head.acknowledged, 100, "acknowledged in the answer")
        try expectEqual(
            try await fixture.store.head(mailbox).acknowledged, 100, "acknowledged after")
    }

    private static func fetchCase2(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 150)
        _ = try await fixture.fetch(mailbox, 100)
        try await fixture.fill(mailbox, 50)
        let result = try await fixture.fetch(mailbox, 150)
        try expectEqual(result.messages.sequences, Array(151...200), "messages")
        try expectEqual(result.hasMore, false, "hasMore")
        try expectEqual(
            try await fixture.store.head(mailbox).acknowledged, 150, "acknowledged after")
    }

    private static func fetchCase3(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 200)
        try await fixture.acknowledge(mailbox, 150)
        let result = try await fixture.fetch(mailbox, 120)
        try expectEqual(result.messages.sequences, Array(151...200), "messages")
        try expectEqual(result.hasMore, false, "hasMore")
        try expectEqual(result.head.acknowledged, 150, "acknowledged in the answer")
        try expectEqual(
            try await fixture.store.head(mailbox).acknowledged, 150, "acknowledged after")
    }

    private static func lostAnswer(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 30)
        for cursor in [0, 7, 20] as [SequenceNumber] {
            let first = try await fixture.fetch(mailbox, cursor)
            for _ in 0..<3 {
                let again = try await fixture.fetch(mailbox, cursor)
                try expect(
                    Array(again.messages) == Array(first.messages),
                    "the same fetch from \(cursor) brings the same messages")
                try expectEqual(again.head, first.head, "the same fetch leaves the same head")
            }
        }
    }

    private static func neverWritten(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for cursor in [Cursor.zero, try await fixture.cursor(0)] {
            let result = try await fixture.store.fetch(mailbox, cursor: cursor, limit: .standard)
            try expectEqual(result.messages.count, 0, "messages")
            try expectEqual(result.hasMore, false, "hasMore")
            try expectEqual(result.head, .empty, "the head")
        }
        try expectEqual(
            try await fixture.store.inbox(mailbox.receiver, after: nil, limit: 10).entries.count, 0,
            "a fetch makes no mailbox")
    }

    private static func atTheEnd(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 10)
        let result = try await fixture.fetch(mailbox, 10)
        try expectEqual(result.messages.count, 0, "messages")
        try expectEqual(result.hasMore, false, "hasMore")
        try expectEqual(result.head.acknowledged, 10, "acknowledged")
        try expectEqual(result.head.waitingCount, 0, "waiting")
    }

    private static func laterComesNext(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        var cursor = Cursor.zero
        for round in SequenceNumber(1)...8 {
            try await fixture.fill(mailbox, Int(round))
            let result = try await fixture.store.fetch(mailbox, cursor: cursor, limit: .standard)
            let newest = try await fixture.store.head(mailbox).max
            try expectEqual(
                result.messages.sequences, Array((cursor.sequence + 1)...newest),
                "what was appended since")
            cursor = Cursor(newest, epoch: result.epoch)
        }
    }

    private static func answersHead(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 20)
        let result = try await fixture.fetch(mailbox, 5, limit: PageLimit(messages: 3))
        try expectEqual(result.head.max, 20, "max")
        try expectEqual(result.head.acknowledged, 5, "acknowledged")
        try expectEqual(result.head.waitingCount, 15, "waiting")
        try expectEqual(result.head, try await fixture.store.head(mailbox), "the head")
        try expectEqual(result.epoch, try await fixture.store.epoch, "the epoch")
    }

    private static func confirmsExactly(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 20)
        for (cursor, expected) in [(0, 0), (3, 3), (0, 3), (2, 3), (19, 19), (4, 19), (20, 20)]
            as [(SequenceNumber, SequenceNumber)]
        {
            let result = try await fixture.fetch(mailbox, cursor)
            try expectEqual(result.head.acknowledged, expected, "acknowledged after \(cursor)")
            try expectEqual(
                result.messages.sequences, Array((1...20).dropFirst(Int(expected))),
                "messages after \(cursor)")
        }
    }

    private static func neverMix(_ fixture: Fixture) async throws {
        let mailboxes = try ["alice", "carol", "dave"].map {
            try MailboxID(sender: $0, receiver: "bob")
        }
        for round in 0..<10 {
            for mailbox in mailboxes {
                try await fixture.store(mailbox, text: "\(mailbox.sender) \(round)")
            }
        }
        for mailbox in mailboxes {
            try expectBodies(
                try await fixture.fetch(mailbox, 0).messages,
                (0..<10).map { Array("\(mailbox.sender) \($0)".utf8) }, "\(mailbox)")
        }
    }
}
