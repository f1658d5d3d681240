internal import Mailbox

extension BehaviourSuite {
    static let fetchRefusalCases: [BehaviourCase] = [
        BehaviourCase("cursor: another epoch is refused, and nothing confirmed", otherEpoch),
        BehaviourCase("cursor: only cursor 0 may come without an epoch", withoutEpoch),
        BehaviourCase("cursor: another epoch is refused with cursor 0, too", otherEpochWithZero),
        BehaviourCase("cursor: one above the newest is refused, and nothing confirmed", ahead),
        BehaviourCase("cursor: any is ahead of a mailbox that nobody wrote to", aheadOfNothing),
        BehaviourCase("cursor: the epoch is checked before the position", epochBeforePosition),
        BehaviourCase("fetch: the limit is checked first", limitFirst),
        BehaviourCase("fetch: limits begin at 1", limitsFromOne),
    ]

    private static func otherEpoch(of fixture: Fixture) async throws(StoreError) -> Epoch? {
        let current = try await fixture.store.epoch
        return Epoch(rawValue: current.rawValue ^ 1) ?? Epoch(rawValue: current.rawValue ^ 2)
    }

    /// The cursor must be refused by everything that takes one, and nothing change.
    private static func expectRefused(
        _ cursor: Cursor, _ code: StoreError.Code, _ fixture: Fixture
    ) async throws -> [StoreError] {
        let mailbox = try fixture.mailbox
        let before = try await fixture.store.head(mailbox)
        let what = "cursor \(cursor.sequence)"
        let errors = [
            try await expectRefusal(code, "fetch, \(what)") { () throws(StoreError) in
                try await fixture.store.fetch(mailbox, cursor: cursor, limit: .standard)
            },
            try await expectRefusal(code, "acknowledge, \(what)") { () throws(StoreError) in
                try await fixture.store.acknowledge(mailbox, through: cursor)
            },
            try await expectRefusal(code, "sync, \(what)") { () throws(StoreError) in
                try await fixture.store.sync(
                    mailbox.receiver, cursors: [mailbox.sender: cursor], limit: .standard)
            },
        ]
        try expectEqual(try await fixture.store.head(mailbox), before, "the head after \(what)")
        return errors
    }

    private static func otherEpoch(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 10)
        let other = try await otherEpoch(of: fixture)
        for sequence in [1, 5, 10] as [SequenceNumber] {
            let errors = try await expectRefused(
                Cursor(sequence, epoch: other), .epochChanged, fixture)
            for error in errors {
                try expectEqual(
                    error.facts.currentEpoch, try await fixture.store.epoch, "the epoch told")
            }
        }
    }

    private static func withoutEpoch(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 10)
        _ = try await expectRefused(Cursor(1, epoch: nil), .epochChanged, fixture)
        _ = try await expectRefused(Cursor(10, epoch: nil), .epochChanged, fixture)
        for cursor in [Cursor.zero, try await fixture.cursor(0)] {
            let result = try await fixture.store.fetch(mailbox, cursor: cursor, limit: .standard)
            try expectEqual(result.messages.count, 10, "messages after cursor 0")
        }
    }

    private static func otherEpochWithZero(_ fixture: Fixture) async throws {
        let cursor = Cursor(0, epoch: try await otherEpoch(of: fixture))
        _ = try await expectRefused(cursor, .epochChanged, fixture)
        try await fixture.fill(try fixture.mailbox, 3)
        _ = try await expectRefused(cursor, .epochChanged, fixture)
    }

    private static func ahead(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 10)
        try await fixture.acknowledge(try fixture.mailbox, 4)
        for sequence in [11, 12, 1_000_000, .max] as [SequenceNumber] {
            let errors = try await expectRefused(
                try await fixture.cursor(sequence), .cursorAhead, fixture)
            for error in errors {
                try expectEqual(error.facts.maxSequence, 10, "the newest sequence told")
            }
        }
    }

    private static func aheadOfNothing(_ fixture: Fixture) async throws {
        let errors = try await expectRefused(try await fixture.cursor(1), .cursorAhead, fixture)
        for error in errors {
            try expectEqual(error.facts.maxSequence, 0, "the newest sequence told")
        }
        try expectEqual(
            try await fixture.store.inbox(try fixture.mailbox.receiver, after: nil, limit: 10)
                .entries.count, 0, "a refusal makes no mailbox")
    }

    private static func epochBeforePosition(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 10)
        let other = try await otherEpoch(of: fixture)
        _ = try await expectRefused(Cursor(11, epoch: other), .epochChanged, fixture)
        _ = try await expectRefused(Cursor(11, epoch: nil), .epochChanged, fixture)
    }

    private static func limitFirst(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 10)
        let bad = PageLimit(messages: 0)
        for cursor in [
            try await fixture.cursor(5), try await fixture.cursor(11),
            Cursor(5, epoch: try await otherEpoch(of: fixture)),
        ] {
            try await expectRefusal(.invalidArgument, "fetch") { () throws(StoreError) in
                try await fixture.store.fetch(mailbox, cursor: cursor, limit: bad)
            }
            try await expectRefusal(.invalidArgument, "sync") { () throws(StoreError) in
                try await fixture.store.sync(
                    mailbox.receiver, cursors: [mailbox.sender: cursor], limit: bad)
            }
        }
        try expectEqual(
            try await fixture.store.head(mailbox).acknowledged, 0, "nothing was confirmed")
    }

    private static func limitsFromOne(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 3)
        for limit in [
            PageLimit(messages: 0), PageLimit(messages: -1), PageLimit(bytes: 0),
            PageLimit(bytes: -1), PageLimit(messages: .min, bytes: .min),
        ] {
            try await expectRefusal(.invalidArgument, "fetch, \(limit)") {
                () throws(StoreError) in
                try await fixture.store.fetch(mailbox, cursor: .zero, limit: limit)
            }
            try await expectRefusal(.invalidArgument, "read, \(limit)") {
                () throws(StoreError) in
                try await fixture.store.read(mailbox, after: 0, through: nil, limit: limit)
            }
            try await expectRefusal(.invalidArgument, "sync, \(limit)") {
                () throws(StoreError) in
                try await fixture.store.sync(mailbox.receiver, cursors: [:], limit: limit)
            }
        }
    }
}
