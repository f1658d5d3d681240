internal import Mailbox

extension BehaviourSuite {
    static let pageCases: [BehaviourCase] = [
        BehaviourCase("page: the limit by count, and hasMore", countLimit),
        BehaviourCase("page: the limit by bytes, and hasMore", byteLimit),
        BehaviourCase("page: one message comes, however large", atLeastOne),
        BehaviourCase("page: an empty body fits where no byte is left", emptyFits),
        BehaviourCase("page: pages of every size join without holes", pagesJoin),
        BehaviourCase("page: pages by bytes join without holes", bytePagesJoin),
        BehaviourCase("page: the largest limits are no error", largestLimits),
    ]

    private static func countLimit(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 20)
        for count in [1, 2, 19, 20, 21] {
            let result = try await fixture.fetch(mailbox, 0, limit: PageLimit(messages: count))
            try expectEqual(
                result.messages.sequences, Array((1...20).prefix(count)), "at most \(count)")
            try expectEqual(result.hasMore, count < 20, "hasMore with \(count)")
        }
    }

    private static func byteLimit(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for size in [100, 200, 300, 400] {
            let body = [UInt8](repeating: 1, count: size)
            _ = try await fixture.store.append(Append(mailbox, body: body))
        }
        for (bytes, count) in [
            (1, 1), (99, 1), (100, 1), (299, 1), (300, 2), (301, 2), (599, 2), (600, 3), (999, 3),
            (1_000, 4), (1_001, 4),
        ] {
            let result = try await fixture.fetch(mailbox, 0, limit: PageLimit(bytes: bytes))
            try expectEqual(result.messages.count, count, "messages in \(bytes) bytes")
            try expectEqual(result.hasMore, count < 4, "hasMore with \(bytes) bytes")
            let read = try await fixture.store.read(
                mailbox, after: 0, through: nil, limit: PageLimit(bytes: bytes))
            try expectEqual(read.messages.count, count, "messages read in \(bytes) bytes")
        }
    }

    private static func atLeastOne(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let body = [UInt8](repeating: 1, count: 4_000)
        for _ in 0..<4 { _ = try await fixture.store.append(Append(mailbox, body: body)) }
        for cursor in SequenceNumber(0)..<4 {
            let result = try await fixture.fetch(mailbox, cursor, limit: PageLimit(bytes: 1))
            try expectEqual(result.messages.sequences, [cursor + 1], "the one message")
            try expectEqual(result.hasMore, cursor < 3, "hasMore after \(cursor)")
        }
    }

    private static func emptyFits(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for size in [10, 0, 0, 1, 0] {
            let body = [UInt8](repeating: 1, count: size)
            _ = try await fixture.store.append(Append(mailbox, body: body))
        }
        let result = try await fixture.fetch(mailbox, 0, limit: PageLimit(bytes: 10))
        try expectEqual(result.messages.sequences, [1, 2, 3], "those that fit")
        try expectEqual(result.hasMore, true, "hasMore")
    }

    private static func pagesJoin(_ fixture: Fixture) async throws {
        for count in [1, 2, 3, 7, 50] {
            let mailbox = try MailboxID(sender: "alice", receiver: "bob\(count)")
            try await fixture.fill(mailbox, 50)
            let messages = try await fixture.drain(mailbox, limit: PageLimit(messages: count))
            try expectEqual(messages.map(\.sequence), Array(1...50), "pages of \(count)")
            try expectEqual(
                try await fixture.store.head(mailbox).acknowledged,
                SequenceNumber((50 - 1) / count * count), "all but the last page is confirmed")
        }
    }

    private static func bytePagesJoin(_ fixture: Fixture) async throws {
        var random = SeededRandom(seed: 3)
        for bytes in [1, 50, 333, 5_000] {
            let mailbox = try MailboxID(sender: "alice", receiver: "bob\(bytes)")
            let bodies = (0..<40).map { _ in random.bytes(Int.random(in: 0...300, using: &random)) }
            for body in bodies { _ = try await fixture.store.append(Append(mailbox, body: body)) }
            let messages = try await fixture.drain(mailbox, limit: PageLimit(bytes: bytes))
            try expectEqual(messages.map(\.sequence), Array(1...40), "pages of \(bytes) bytes")
            try expect(messages.map { Array($0.body) } == bodies, "the bodies come unchanged")
        }
    }

    private static func largestLimits(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 30)
        let limit = PageLimit(messages: .max, bytes: .max)
        try expectEqual(try await fixture.drain(mailbox, limit: limit).count, 30, "drained")
        let read = try await fixture.store.read(mailbox, after: 0, through: nil, limit: limit)
        try expectEqual(read.messages.first?.sequence, 1, "the first message read")
        let sync = try await fixture.store.sync(mailbox.receiver, cursors: [:], limit: limit)
        try expectEqual(sync.entries.count, 1, "mailboxes in the sync")
    }
}
