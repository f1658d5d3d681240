internal import Mailbox

extension BehaviourSuite {
    static let readCases: [BehaviourCase] = [
        BehaviourCase("read: it confirms nothing", readConfirmsNothing),
        BehaviourCase("read: from above after, up to and with through", readRange),
        BehaviourCase("read: what is confirmed can be read while it is kept", readConfirmed),
        BehaviourCase("read: through may be above the newest", readClipped),
        BehaviourCase("read: nothing from the newest on", readNothing),
        BehaviourCase("read: hasMore is about the range", readHasMore),
        BehaviourCase("read: below the floor it says trimmed", readTrimmed),
        BehaviourCase("read: a mailbox that nobody wrote to is empty", readNeverWritten),
        BehaviourCase("read: pages of every size join without holes", readPagesJoin),
    ]

    private static func read(
        _ fixture: Fixture, _ after: SequenceNumber, _ through: SequenceNumber?,
        limit: PageLimit = .standard
    ) async throws(StoreError) -> FetchResult {
        try await fixture.store.read(
            try fixture.mailbox, after: after, through: through, limit: limit)
    }

    private static func readConfirmsNothing(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 10)
        try await fixture.acknowledge(mailbox, 2)
        for after in SequenceNumber(0)...10 {
            let result = try await read(fixture, after, nil)
            try expectEqual(result.messages.count, 10 - Int(after), "messages above \(after)")
            try expectEqual(result.head.acknowledged, 2, "acknowledged in the answer")
            try expectEqual(result.epoch, try await fixture.store.epoch, "the epoch")
        }
        try expectEqual(try await fixture.store.head(mailbox).acknowledged, 2, "acknowledged")
    }

    private static func readRange(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 12)
        for after in SequenceNumber(0)...11 {
            for through in (after + 1)...12 {
                let result = try await read(fixture, after, through)
                try expectEqual(
                    result.messages.sequences, Array((after + 1)...through),
                    "after \(after) through \(through)")
                try expectEqual(result.hasMore, false, "hasMore")
            }
        }
    }

    private static func readConfirmed(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 10)
        try await fixture.acknowledge(try fixture.mailbox, 10)
        try expectEqual(
            try await read(fixture, 0, nil).messages.sequences, Array(1...10), "all of them")
    }

    private static func readClipped(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 5)
        for through in [5, 6, 1_000, .max, nil] as [SequenceNumber?] {
            let result = try await read(fixture, 3, through)
            try expectEqual(result.messages.sequences, [4, 5], "through \(through ?? 0)")
            try expectEqual(result.hasMore, false, "hasMore")
        }
    }

    private static func readNothing(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 5)
        for (after, through) in [
            (5, nil), (6, nil), (.max, nil), (3, 3), (3, 2), (3, 0), (0, 0), (6, 9), (.max, .max),
        ] as [(SequenceNumber, SequenceNumber?)] {
            let result = try await read(fixture, after, through)
            try expectEqual(result.messages.count, 0, "after \(after)")
            try expectEqual(result.hasMore, false, "hasMore after \(after)")
            try expectEqual(result.head.max, 5, "the head's newest")
        }
    }

    private static func readHasMore(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 20)
        for (through, limit, hasMore) in [
            (10, 5, true), (10, 9, true), (10, 10, false), (10, 11, false), (nil, 10, true),
            (nil, 20, false), (1, 1, false), (30, 19, true), (30, 20, false),
        ] as [(SequenceNumber?, Int, Bool)] {
            let result = try await read(fixture, 0, through, limit: PageLimit(messages: limit))
            try expectEqual(
                result.hasMore, hasMore, "hasMore through \(through ?? 0) with \(limit)")
            try expectEqual(
                result.messages.count, min(limit, Int(through ?? 20), 20), "the number of messages")
        }
    }

    private static func readTrimmed(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, 10)
        try await fixture.acknowledge(mailbox, 6)
        _ = try await fixture.store.compact(.unacknowledged)
        for after in SequenceNumber(0)..<6 {
            let error = try await expectRefusal(.trimmed, "after \(after)") {
                () throws(StoreError) in
                try await read(fixture, after, nil)
            }
            try expectEqual(error.facts.floor, 6, "the floor told")
        }
        try expectEqual(
            try await read(fixture, 6, nil).messages.sequences, [7, 8, 9, 10], "from the floor on")
        try expectEqual(
            try await fixture.fetch(mailbox, 0).messages.sequences, [7, 8, 9, 10],
            "a fetch from 0 begins behind what is confirmed")
    }

    private static func readNeverWritten(_ fixture: Fixture) async throws {
        for (after, through) in [(0, nil), (0, 5), (3, nil)] as [(SequenceNumber, SequenceNumber?)]
        {
            let result = try await read(fixture, after, through)
            try expectEqual(result.messages.count, 0, "messages")
            try expectEqual(result.hasMore, false, "hasMore")
            try expectEqual(result.head, .empty, "the head")
        }
    }

    private static func readPagesJoin(_ fixture: Fixture) async throws {
        try await fixture.fill(try fixture.mailbox, 60)
        for limit in [
            PageLimit(messages: 1), PageLimit(messages: 7), PageLimit(bytes: 1),
            PageLimit(messages: 50, bytes: 100),
        ] {
            var sequences: [SequenceNumber] = []
            var hasMore = true
            while hasMore {
                let page = try await read(fixture, sequences.last ?? 0, nil, limit: limit)
                try expect(!page.messages.isEmpty, "hasMore was true, so a message comes")
                sequences += page.messages.sequences
                hasMore = page.hasMore
            }
            try expectEqual(sequences, Array(1...60), "pages of \(limit)")
        }
    }
}
