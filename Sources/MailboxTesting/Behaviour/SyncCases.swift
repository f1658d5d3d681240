internal import Mailbox

extension BehaviourSuite {
    static let syncCases: [BehaviourCase] = [
        BehaviourCase("sync: nobody wrote", syncEmpty),
        BehaviourCase("sync: everything that waits, by sender", syncAll),
        BehaviourCase("sync: it confirms each cursor", syncConfirms),
        BehaviourCase("sync: without a cursor it begins at the watermark", syncWithoutCursor),
        BehaviourCase("sync: a cursor below the watermark brings nothing twice", syncBelow),
        BehaviourCase("sync: mailboxes with nothing waiting are not in it", syncNothingWaiting),
        BehaviourCase("sync: a cursor ahead is named, and nothing is confirmed", syncAhead),
        BehaviourCase("sync: another epoch is refused, and nothing is confirmed", syncEpoch),
        BehaviourCase("sync: more than 10 000 cursors are refused", syncTooMany),
        BehaviourCase("sync: one receiver's messages alone", syncOneReceiver),
    ]

    static func senders(_ result: SyncResult) -> [String] {
        result.entries.map { $0.sender.description }
    }

    /// Mailboxes to bob with so many messages each.
    static func bob(
        _ fixture: Fixture, _ counts: KeyValuePairs<String, Int>
    ) async throws -> Address {
        for (sender, count) in counts {
            try await fixture.fill(try MailboxID(sender: sender, receiver: "bob"), count)
        }
        return try Address("bob")
    }

    static func cursors(
        _ fixture: Fixture, _ sequences: KeyValuePairs<String, SequenceNumber>
    ) async throws -> [Address: Cursor] {
        var cursors: [Address: Cursor] = [:]
        for (sender, sequence) in sequences {
            cursors[try Address(sender)] = try await fixture.cursor(sequence)
        }
        return cursors
    }

    private static func acknowledged(
        _ fixture: Fixture, _ sender: String
    ) async throws -> SequenceNumber {
        try await fixture.store.head(try MailboxID(sender: sender, receiver: "bob")).acknowledged
    }

    private static func syncEmpty(_ fixture: Fixture) async throws {
        let result = try await fixture.store.sync(
            try Address("bob"), cursors: [:], limit: .standard)
        try expectEqual(result.entries.count, 0, "entries")
        try expectEqual(result.hasMore, false, "hasMore")
        try expectEqual(result.epoch, try await fixture.store.epoch, "the epoch")
    }

    private static func syncAll(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["carol": 3, "al": 2, "dave": 1, "erin": 4])
        let result = try await fixture.store.sync(receiver, cursors: [:], limit: .standard)
        try expectEqual(senders(result), ["al", "dave", "erin", "carol"], "senders in order")
        try expectEqual(
            result.entries.map(\.result.messages.sequences),
            [[1, 2], [1], [1, 2, 3, 4], [1, 2, 3]],
            "messages")
        try expectEqual(result.hasMore, false, "hasMore")
        for entry in result.entries {
            let mailbox = MailboxID(sender: entry.sender, receiver: receiver)
            let fetched = try await fixture.store.fetch(mailbox, cursor: .zero, limit: .standard)
            try expect(
                Array(entry.result.messages) == Array(fetched.messages),
                "\(mailbox): as a fetch answers")
            try expectEqual(entry.result.head, fetched.head, "\(mailbox): the head")
            try expectEqual(entry.result.epoch, fetched.epoch, "\(mailbox): the epoch")
            try expectEqual(entry.result.hasMore, false, "\(mailbox): hasMore")
        }
    }

    private static func syncConfirms(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 10, "carol": 10, "dave": 10])
        let cursors = try await cursors(fixture, ["alice": 4, "dave": 10])
        let result = try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
        try expectEqual(senders(result), ["alice", "carol"], "senders")
        try expectEqual(
            result.entries.map(\.result.messages.sequences), [Array(5...10), Array(1...10)],
            "messages")
        for (sender, expected) in [("alice", 4), ("carol", 0), ("dave", 10)]
            as [(String, SequenceNumber)]
        {
            try expectEqual(
                try await acknowledged(fixture, sender), expected, "\(sender)'s watermark")
        }
    }

    private static func syncWithoutCursor(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 10])
        try await fixture.acknowledge(try fixture.mailbox, 7)
        let result = try await fixture.store.sync(receiver, cursors: [:], limit: .standard)
        try expectEqual(result.entries.map(\.result.messages.sequences), [[8, 9, 10]], "messages")
        try expectEqual(result.entries.first?.result.head.acknowledged, 7, "acknowledged")
    }

    private static func syncBelow(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 10])
        try await fixture.acknowledge(try fixture.mailbox, 7)
        let cursors = try await cursors(fixture, ["alice": 3])
        let result = try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
        try expectEqual(result.entries.map(\.result.messages.sequences), [[8, 9, 10]], "messages")
        try expectEqual(try await acknowledged(fixture, "alice"), 7, "acknowledged")
    }

    private static func syncNothingWaiting(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 2, "carol": 2, "dave": 2])
        try await fixture.acknowledge(try MailboxID(sender: "carol", receiver: "bob"), 2)
        let cursors = try await cursors(fixture, ["alice": 2, "stranger": 0])
        let result = try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
        try expectEqual(senders(result), ["dave"], "senders with something waiting")
        try expectEqual(
            try await fixture.store.inbox(receiver, after: nil, limit: 10).entries.count, 3,
            "a cursor makes no mailbox")
    }

    private static func syncAhead(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 5, "carol": 5, "dave": 5])
        for guilty in ["alice", "carol", "dave"] {
            var cursors = try await cursors(fixture, ["alice": 3, "carol": 3, "dave": 3])
            cursors[try Address(guilty)]?.sequence = 6
            let error = try await expectRefusal(.cursorAhead, "\(guilty) ahead") {
                () throws(StoreError) in
                try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
            }
            try expectEqual(
                error.facts.mailbox, try MailboxID(sender: guilty, receiver: "bob"), "the mailbox")
            try expectEqual(error.facts.maxSequence, 5, "the newest sequence told")
            for sender in ["alice", "carol", "dave"] {
                try expectEqual(try await acknowledged(fixture, sender), 0, "\(sender)'s watermark")
            }
        }
        let stranger = try await cursors(fixture, ["alice": 3, "stranger": 1])
        let error = try await expectRefusal(.cursorAhead, "a stranger's cursor") {
            () throws(StoreError) in
            try await fixture.store.sync(receiver, cursors: stranger, limit: .standard)
        }
        try expectEqual(error.facts.maxSequence, 0, "the newest sequence told")
        try expectEqual(try await acknowledged(fixture, "alice"), 0, "alice's watermark")
    }

    private static func syncEpoch(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 5, "carol": 5, "dave": 5])
        let epoch = try await fixture.store.epoch
        let other = Epoch(rawValue: epoch.rawValue ^ 1) ?? Epoch(rawValue: epoch.rawValue ^ 2)
        for (guilty, cursor) in [
            ("alice", Cursor(3, epoch: other)), ("carol", Cursor(3, epoch: nil)),
            ("dave", Cursor(0, epoch: other)), ("stranger", Cursor(0, epoch: other)),
        ] {
            var cursors = try await cursors(fixture, ["alice": 3, "carol": 3, "dave": 3])
            cursors[try Address(guilty)] = cursor
            let error = try await expectRefusal(.epochChanged, "\(guilty) of another epoch") {
                () throws(StoreError) in
                try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
            }
            try expectEqual(error.facts.currentEpoch, epoch, "the epoch told")
            for sender in ["alice", "carol", "dave"] {
                try expectEqual(try await acknowledged(fixture, sender), 0, "\(sender)'s watermark")
            }
        }
    }

    private static func syncTooMany(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 1])
        var cursors: [Address: Cursor] = [:]
        for number in 0..<10_000 { cursors[try Address("sender\(number)")] = .zero }
        let result = try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
        try expectEqual(senders(result), ["alice"], "senders with 10 000 cursors")
        cursors[try Address("one more")] = .zero
        try await expectRefusal(.invalidArgument, "10 001 cursors") { () throws(StoreError) in
            try await fixture.store.sync(receiver, cursors: cursors, limit: .standard)
        }
    }

    private static func syncOneReceiver(_ fixture: Fixture) async throws {
        let receiver = try await bob(fixture, ["alice": 1])
        for other in ["bo", "bobb", "alice"] {
            try await fixture.fill(try MailboxID(sender: "alice", receiver: other), 2)
        }
        let result = try await fixture.store.sync(receiver, cursors: [:], limit: .standard)
        try expectEqual(result.entries.map(\.result.messages.count), [1], "messages for bob")
    }
}
