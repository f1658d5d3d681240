internal import Mailbox

extension BehaviourSuite {
    static let acknowledgeCases: [BehaviourCase] = [
        BehaviourCase("acknowledge: the watermark only grows", watermarkGrows),
        BehaviourCase("acknowledge: cursor 0 confirms nothing", confirmNothing),
        BehaviourCase("acknowledge: it confirms one mailbox alone", confirmsOne),
        BehaviourCase("acknowledge: what is appended later waits", laterWaits),
        BehaviourCase("head: what nobody wrote to is empty", headEmpty),
        BehaviourCase("head: it counts messages and body bytes", headCounts),
        BehaviourCase("epoch: it is one, and stays", epochStays),
    ]

    private static func watermarkGrows(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 20)
        for (cursor, expected) in [(5, 5), (3, 5), (5, 5), (0, 5), (6, 6), (20, 20), (1, 20)]
            as [(SequenceNumber, SequenceNumber)]
        {
            let head = try await fixture.store.acknowledge(
                mailbox, through: try await fixture.cursor(cursor))
            try expectEqual(head.acknowledged, expected, "acknowledged after \(cursor)")
            try expectEqual(head.waitingCount, 20 - expected, "waiting after \(cursor)")
            try expectEqual(head, try await fixture.store.head(mailbox), "the head")
        }
    }

    private static func confirmNothing(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let never = try await fixture.store.acknowledge(mailbox, through: .zero)
        try expectEqual(never, .empty, "the head of what nobody wrote to")
        try await fixture.fill(mailbox, 3)
        let head = try await fixture.store.acknowledge(mailbox, through: .zero)
        try expectEqual(head.acknowledged, 0, "acknowledged")
    }

    private static func confirmsOne(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let others = [
            try MailboxID(sender: "carol", receiver: "bob"),
            try MailboxID(sender: "alice", receiver: "erin"),
            try MailboxID(sender: "bob", receiver: "alice"),
        ]
        for mailbox in [mailbox] + others { try await fixture.fill(mailbox, 5) }
        try await fixture.acknowledge(mailbox, 4)
        for other in others {
            try expectEqual(
                try await fixture.store.head(other).acknowledged, 0, "acknowledged in \(other)")
        }
    }

    private static func laterWaits(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 5)
        try await fixture.acknowledge(mailbox, 5)
        try await fixture.fill(mailbox, 2)
        let head = try await fixture.store.head(mailbox)
        try expectEqual(head.acknowledged, 5, "acknowledged")
        try expectEqual(head.waitingCount, 2, "waiting")
        try expectEqual(
            try await fixture.fetch(mailbox, 5).messages.sequences, [6, 7], "what waits")
    }

    private static func headEmpty(_ fixture: Fixture) async throws {
        try await fixture.fill(try MailboxID(sender: "carol", receiver: "bob"), 1)
        try expectEqual(try await fixture.store.head(try fixture.mailbox), .empty, "the head")
    }

    private static func headCounts(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        var bytes: UInt64 = 0
        for size in [0, 1, 10, 100, 1_000] {
            let body = [UInt8](repeating: 9, count: size)
            _ = try await fixture.store.append(Append(mailbox, body: body))
            bytes += UInt64(size)
            let head = try await fixture.store.head(mailbox)
            try expectEqual(head.bodyBytes, bytes, "body bytes")
            try expectEqual(head.storedCount, head.max, "messages stored")
        }
        try await fixture.acknowledge(mailbox, 3)
        try expectEqual(
            try await fixture.store.head(mailbox).bodyBytes, bytes,
            "body bytes of what is kept after its confirmation")
    }

    private static func epochStays(_ fixture: Fixture) async throws {
        let epoch = try await fixture.store.epoch
        try await fixture.fill(try fixture.mailbox, 5)
        try await fixture.acknowledge(try fixture.mailbox, 5)
        _ = try await fixture.store.compact(nil)
        try expectEqual(try await fixture.store.epoch, epoch, "the epoch")
    }
}
