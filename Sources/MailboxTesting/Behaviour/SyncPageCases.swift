internal import Mailbox

extension BehaviourSuite {
    static let syncPageCases: [BehaviourCase] = [
        BehaviourCase("sync page: the count holds for the whole answer", syncCount),
        BehaviourCase("sync page: the bytes hold for the whole answer", syncBytes),
        BehaviourCase("sync page: an empty message fits where no byte is left", syncEmptyBody),
        BehaviourCase("sync page: one message comes, however large", syncAtLeastOne),
        BehaviourCase("sync page: pages of every size join without holes", syncPagesJoin),
    ]

    private static func syncCount(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 3, "carol": 3, "daves": 3])
        for (count, expected) in [
            (1, [1]), (2, [2]), (3, [3]), (4, [3, 1]), (6, [3, 3]), (8, [3, 3, 2]), (9, [3, 3, 3]),
            (10, [3, 3, 3]),
        ] {
            let result = try await fixture.store.sync(
                receiver, cursors: [:], limit: PageLimit(messages: count))
            try expectEqual(
                result.entries.map(\.result.messages.count), expected, "messages with \(count)")
            try expectEqual(result.hasMore, count < 9, "hasMore with \(count)")
            for entry in result.entries {
                try expectEqual(
                    entry.result.hasMore, entry.result.messages.count < 3,
                    "\(entry.sender): hasMore with \(count)")
            }
        }
    }

    private static func syncBytes(_ fixture: Fixture) async throws {
        let receiver = try Address("bob")
        for sender in ["alice", "carol"] {
            let mailbox = try MailboxID(sender: sender, receiver: "bob")
            for _ in 0..<3 {
                let body = [UInt8](repeating: 1, count: 100)
                _ = try await fixture.store.append(Append(mailbox, body: body))
            }
        }
        for (bytes, expected) in [
            (99, [1]), (100, [1]), (299, [2]), (300, [3]), (399, [3]), (400, [3, 1]),
            (600, [3, 3]),
        ] {
            let result = try await fixture.store.sync(
                receiver, cursors: [:], limit: PageLimit(bytes: bytes))
            try expectEqual(
                result.entries.map(\.result.messages.count), expected, "messages in \(bytes) bytes")
            try expectEqual(result.hasMore, bytes < 600, "hasMore in \(bytes) bytes")
        }
    }

    private static func syncEmptyBody(_ fixture: Fixture) async throws {
        for (sender, count) in [("alice", 100), ("carol", 0), ("daves", 1), ("erica", 0)] {
            let body = [UInt8](repeating: 1, count: count)
            _ = try await fixture.store.append(
                Append(try MailboxID(sender: sender, receiver: "bob"), body: body))
        }
        let result = try await fixture.store.sync(
            try Address("bob"), cursors: [:], limit: PageLimit(bytes: 100))
        try expectEqual(senders(result), ["alice", "carol"], "those that fit")
        try expectEqual(result.hasMore, true, "hasMore")
    }

    private static func syncAtLeastOne(_ fixture: Fixture) async throws {
        let receiver = try Address("bob")
        for sender in ["alice", "carol"] {
            let body = [UInt8](repeating: 1, count: 4_000)
            _ = try await fixture.store.append(
                Append(try MailboxID(sender: sender, receiver: "bob"), body: body))
        }
        let result = try await fixture.store.sync(
            receiver, cursors: [:], limit: PageLimit(bytes: 1))
        try expectEqual(senders(result), ["alice"], "the one message's sender")
        try expectEqual(result.hasMore, true, "hasMore")
    }

    private static func syncPagesJoin(_ fixture: Fixture) async throws {
        let receiver = try await bob(
            fixture, ["alice": 7, "carol": 1, "dave": 12, "erin": 3, "f": 5])
        for limit in [
            PageLimit(messages: 1), PageLimit(messages: 4), PageLimit(messages: 28),
            PageLimit(bytes: 1), PageLimit(bytes: 60),
        ] {
            var held: [Address: [SequenceNumber]] = [:]
            var hasMore = true
            while hasMore {
                let cursors = held.mapValues { $0.last ?? 0 }
                let page = try await fixture.store.sync(
                    receiver, cursors: try await epochs(fixture, cursors), limit: limit)
                try expect(
                    !page.hasMore || !page.entries.isEmpty, "hasMore, so a message comes")
                for entry in page.entries {
                    try expect(!entry.result.messages.isEmpty, "an entry has a message")
                    held[entry.sender, default: []] += entry.result.messages.sequences
                }
                hasMore = page.hasMore
            }
            for (sender, sequences) in held {
                let head = try await fixture.store.head(
                    MailboxID(sender: sender, receiver: receiver))
                try expectEqual(
                    sequences.last, head.max, "\(sender): everything came, limit \(limit)")
                try expectEqual(
                    sequences, Array((head.max + 1 - SequenceNumber(sequences.count))...head.max),
                    "\(sender): without holes, limit \(limit)")
            }
            try await refill(fixture, held.keys.sorted(), receiver)
        }
    }

    private static func epochs(
        _ fixture: Fixture, _ sequences: [Address: SequenceNumber]
    ) async throws -> [Address: Cursor] {
        var cursors: [Address: Cursor] = [:]
        for (sender, sequence) in sequences {
            cursors[sender] = try await fixture.cursor(sequence)
        }
        return cursors
    }

    private static func refill(
        _ fixture: Fixture, _ senders: [Address], _ receiver: Address
    ) async throws {
        for sender in senders {
            let mailbox = MailboxID(sender: sender, receiver: receiver)
            try await fixture.acknowledge(mailbox, try await fixture.store.head(mailbox).max)
            try await fixture.fill(mailbox, sender.utf8Count + 2)
        }
    }
}
