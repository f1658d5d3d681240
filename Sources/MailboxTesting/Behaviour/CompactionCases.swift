internal import Mailbox

extension BehaviourSuite {
    private static var storeAndForward: Fixture.Options {
        var options = Fixture.Options()
        options.retention = .unacknowledged
        return options
    }

    private static var newestThree: Fixture.Options {
        var options = Fixture.Options()
        options.retention = .newest(3)
        return options
    }

    static let compactionCases: [BehaviourCase] = [
        BehaviourCase("compact: store and forward keeps nothing confirmed", compactUnacknowledged),
        BehaviourCase("compact: the newest N are kept", compactNewest),
        BehaviourCase("compact: the newest 0 is store and forward", compactNewestZero),
        BehaviourCase("compact: confirmed messages are kept for a time", needs: .clock, compactAge),
        BehaviourCase("compact: a duration of 0 keeps nothing", needs: .clock, compactAgeZero),
        BehaviourCase(
            "compact: no early expiry when the clock goes back", needs: .clock, compactClockBack),
        BehaviourCase("compact: a negative duration is refused", compactNegative),
        BehaviourCase("compact: what is not confirmed stays under any policy", compactWaiting),
        BehaviourCase("compact: sequences and watermarks survive", compactSurvive),
        BehaviourCase("compact: bytes are counted down", compactBytes),
        BehaviourCase("compact: a second one has nothing to do", compactTwice),
        BehaviourCase(
            "compact: nil takes the store's policy", options: storeAndForward, compactOwnPolicy),
        BehaviourCase(
            "compact: nil takes the store's policy, the newest 3", options: newestThree,
            compactOwnNewest),
        BehaviourCase(
            "compact: store and forward loses nothing that waits", options: storeAndForward,
            compactForward),
    ]

    private static func filled(
        _ fixture: Fixture, _ count: Int, acknowledged: SequenceNumber
    ) async throws -> MailboxID {
        let mailbox = try fixture.mailbox
        try await fixture.fill(mailbox, count)
        try await fixture.acknowledge(mailbox, acknowledged)
        return mailbox
    }

    /// Compacts, and checks that exactly what is up to `floor` is gone.
    private static func expectFloor(
        _ floor: SequenceNumber, after policy: RetentionPolicy?, _ mailbox: MailboxID,
        _ fixture: Fixture, line: UInt = #line
    ) async throws {
        _ = try await fixture.store.compact(policy)
        let head = try await fixture.store.head(mailbox)
        try expectEqual(head.floor, floor, "the floor", line: line)
        try expect(head.floor <= head.acknowledged, "the floor is confirmed", line: line)
        let kept = try await fixture.store.read(
            mailbox, after: floor, through: nil, limit: .standard)
        let expected = head.max > floor ? Array((floor + 1)...head.max) : []
        try expectEqual(kept.messages.sequences, expected, "what is kept", line: line)
        try expectEqual(head.storedCount, SequenceNumber(expected.count), "counted", line: line)
        guard floor > 0 else { return }
        try await expectRefusal(.trimmed, "a read below the floor") { () throws(StoreError) in
            try await fixture.store.read(mailbox, after: floor - 1, through: nil, limit: .standard)
        }
    }

    private static func compactUnacknowledged(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 20, acknowledged: 12)
        try await expectFloor(12, after: .unacknowledged, mailbox, fixture)
        try await fixture.acknowledge(mailbox, 20)
        try await expectFloor(20, after: .unacknowledged, mailbox, fixture)
    }

    private static func compactNewest(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 20, acknowledged: 12)
        for (count, floor) in [(.max, 0), (21, 0), (20, 0), (15, 5), (17, 5), (8, 12), (2, 12)]
            as [(UInt32, SequenceNumber)]
        {
            try await expectFloor(floor, after: .newest(count), mailbox, fixture)
        }
        try await fixture.acknowledge(mailbox, 20)
        try await expectFloor(18, after: .newest(2), mailbox, fixture)
        try await expectFloor(18, after: .newest(5), mailbox, fixture)
    }

    private static func compactNewestZero(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 10, acknowledged: 7)
        try await expectFloor(7, after: .newest(0), mailbox, fixture)
    }

    private static func compactAge(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        guard let clock = fixture.clock else { return }
        for _ in 0..<10 {
            try await fixture.store(mailbox)
            clock.advance(1_000)
        }
        try await fixture.acknowledge(mailbox, 8)
        // Message n was stored n - 1 s after the first, and it is 10 s now: its age is 11 - n.
        for (seconds, floor) in [
            (.max / 1_000, 0), (11, 0), (10, 1), (9, 2), (7, 4), (4, 7), (2, 8), (0, 8),
        ] as [(Int64, SequenceNumber)] {
            let policy = RetentionPolicy.acknowledged(forMilliseconds: seconds * 1_000)
            try await expectFloor(floor, after: policy, mailbox, fixture)
        }
    }

    private static func compactAgeZero(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 5, acknowledged: 3)
        try await expectFloor(3, after: .acknowledged(forMilliseconds: 0), mailbox, fixture)
    }

    private static func compactClockBack(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 5, acknowledged: 5)
        let day = RetentionPolicy.acknowledged(forMilliseconds: 86_400_000)
        fixture.clock?.advance(-86_400_000)
        try await expectFloor(0, after: day, mailbox, fixture)
        try await expectFloor(0, after: .acknowledged(forMilliseconds: 1), mailbox, fixture)
        fixture.clock?.advance(2 * 86_400_000 - 1)
        try await expectFloor(0, after: day, mailbox, fixture)
        fixture.clock?.advance(1)
        try await expectFloor(5, after: day, mailbox, fixture)
    }

    private static func compactNegative(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 5, acknowledged: 5)
        for duration in [-1, .min] as [Int64] {
            try await expectRefusal(.invalidArgument, "duration \(duration)") {
                () throws(StoreError) in
                try await fixture.store.compact(.acknowledged(forMilliseconds: duration))
            }
        }
        try expectEqual(try await fixture.store.head(mailbox).floor, 0, "the floor")
    }

    private static func compactWaiting(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 20, acknowledged: 0)
        fixture.clock?.advance(1_000_000_000)
        for policy in [
            .unacknowledged, .newest(0), .newest(1), .acknowledged(forMilliseconds: 0),
        ] as [RetentionPolicy] {
            try await expectFloor(0, after: policy, mailbox, fixture)
            try expectEqual(
                try await fixture.fetch(mailbox, 0).messages.sequences, Array(1...20), "\(policy)")
        }
    }

    private static func compactSurvive(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 10, acknowledged: 10)
        let before = try await fixture.store.head(mailbox)
        _ = try await fixture.store.compact(.unacknowledged)
        let after = try await fixture.store.head(mailbox)
        try expectEqual(after.max, 10, "the newest sequence")
        try expectEqual(after.acknowledged, 10, "acknowledged")
        try expectEqual(
            after.newestTimestampMilliseconds, before.newestTimestampMilliseconds, "the timestamp")
        try expectEqual(try await fixture.store(mailbox), 11, "the next sequence")
        try expectEqual(
            try await fixture.fetch(mailbox, 10).messages.sequences, [11], "what waits")
        try await expectRefusal(.cursorAhead, "a cursor above it") { () throws(StoreError) in
            try await fixture.fetch(mailbox, 12)
        }
    }

    private static func compactBytes(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for size in [1, 10, 100, 1_000] {
            let body = [UInt8](repeating: 3, count: size)
            _ = try await fixture.store.append(Append(mailbox, body: body))
        }
        for (acknowledged, left) in [(1, 1_110), (3, 1_000), (4, 0)] as [(SequenceNumber, UInt64)] {
            try await fixture.acknowledge(mailbox, acknowledged)
            _ = try await fixture.store.compact(.unacknowledged)
            try expectEqual(
                try await fixture.store.head(mailbox).bodyBytes, left, "body bytes that are left")
        }
    }

    private static func compactTwice(_ fixture: Fixture) async throws {
        _ = try await filled(fixture, 20, acknowledged: 12)
        let first = try await fixture.store.compact(.unacknowledged)
        try expectEqual(first.messagesRemoved, 12, "messages removed")
        try expectEqual(first.mailboxesCompacted, 1, "mailboxes compacted")
        try expect(first.mailboxesExamined >= 1, "mailboxes were examined")
        let second = try await fixture.store.compact(.unacknowledged)
        try expectEqual(second.messagesRemoved, 0, "messages removed the second time")
        try expectEqual(second.mailboxesCompacted, 0, "mailboxes compacted the second time")
        try expectEqual(second.bodyBytesRemoved, 0, "bytes removed the second time")
    }

    private static func compactOwnPolicy(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 20, acknowledged: 12)
        try await expectFloor(12, after: nil, mailbox, fixture)
    }

    private static func compactOwnNewest(_ fixture: Fixture) async throws {
        let mailbox = try await filled(fixture, 20, acknowledged: 12)
        try await expectFloor(12, after: nil, mailbox, fixture)
        try await fixture.acknowledge(mailbox, 20)
        try await expectFloor(17, after: nil, mailbox, fixture)
    }

    private static func compactForward(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for round in SequenceNumber(1)...20 {
            try await fixture.fill(mailbox, 5)
            let result = try await fixture.fetch(mailbox, round * 3, limit: PageLimit(messages: 90))
            try expectEqual(
                result.messages.sequences, Array((round * 3 + 1)...(round * 5)), "what waits")
            if round % 4 == 0 { _ = try await fixture.store.compact(nil) }
            let head = try await fixture.store.head(mailbox)
            try expect(head.floor <= head.acknowledged, "the floor is confirmed")
        }
    }
}
