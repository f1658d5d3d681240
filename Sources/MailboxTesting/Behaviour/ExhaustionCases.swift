internal import Mailbox

extension BehaviourSuite {
    static let exhaustionCases: [BehaviourCase] = [
        BehaviourCase(
            "exhaustion: the last sequence is given out, then no more", needs: .seed, lastSequence),
        BehaviourCase(
            "exhaustion: other mailboxes go on", needs: .seed, othersGoOn),
        BehaviourCase(
            "exhaustion: duplicates are answered still", needs: .seed, duplicatesWhenExhausted),
        BehaviourCase(
            "exhaustion: a batch is cut where the sequences end", needs: .seed, batchAtTheEnd),
        BehaviourCase(
            "exhaustion: an atomic batch beyond the end stores nothing", needs: .seed,
            atomicAtTheEnd),
        BehaviourCase(
            "exhaustion: the newest sequences are read and confirmed", needs: .seed, readAtTheEnd),
    ]

    private static let last = SequenceNumber.max

    private static func seeded(
        _ fixture: Fixture, left: SequenceNumber
    ) async throws -> MailboxID {
        let mailbox = try fixture.mailbox
        try await fixture.seed?(mailbox, last - left)
        return mailbox
    }

    private static func lastSequence(_ fixture: Fixture) async throws {
        let mailbox = try await seeded(fixture, left: 3)
        for expected in [last - 2, last - 1, last] {
            try expectEqual(try await fixture.store(mailbox), expected, "the sequence")
        }
        for _ in 0..<3 {
            try await expectRefusal(.sequenceExhausted, "one more") { () throws(StoreError) in
                try await fixture.store.append(Append(mailbox, text: "one more"))
            }
        }
        let head = try await fixture.store.head(mailbox)
        try expectEqual(head.max, last, "the newest sequence")
        try expectEqual(head.storedCount, 3, "messages stored")
    }

    private static func othersGoOn(_ fixture: Fixture) async throws {
        let mailbox = try await seeded(fixture, left: 0)
        let other = try MailboxID(sender: "carol", receiver: "bob")
        let results = try await fixture.store.append(batch: [
            Append(other, text: "1"), Append(mailbox, text: "refused"), Append(other, text: "2"),
        ])
        try expectEqual(try results[0].get().sequence, 1, "the other's first")
        try expectRefusal(.sequenceExhausted, "the exhausted mailbox", in: results[1])
        try expectEqual(try results[2].get().sequence, 2, "the other's second")
    }

    private static func duplicatesWhenExhausted(_ fixture: Fixture) async throws {
        let mailbox = try await seeded(fixture, left: 2)
        try await fixture.store(mailbox, "phone", 1, text: "1")
        try await fixture.store(mailbox, "phone", 2, text: "2")
        let again = try await fixture.store.append(Append(mailbox, "phone", 1, text: "1"))
        try expect(again.isDuplicate, "number 1 again is a duplicate")
        try expectEqual(again.sequence, last - 1, "number 1's sequence")
        for (number, text, code) in [
            (2, "x", .producerConflict), (4, "4", .producerGap), (3, "3", .sequenceExhausted),
        ] as [(ClientSequence, String, StoreError.Code)] {
            try await expectRefusal(code, "number \(number)") { () throws(StoreError) in
                try await fixture.store.append(Append(mailbox, "phone", number, text: text))
            }
        }
    }

    private static func batchAtTheEnd(_ fixture: Fixture) async throws {
        let mailbox = try await seeded(fixture, left: 2)
        let results = try await fixture.store.append(
            batch: (0..<4).map { Append(mailbox, text: "\($0)") })
        try expectEqual(try results[0].get().sequence, last - 1, "the first")
        try expectEqual(try results[1].get().sequence, last, "the second")
        try expectRefusal(.sequenceExhausted, "the third", in: results[2])
        try expectRefusal(.sequenceExhausted, "the fourth", in: results[3])
    }

    private static func atomicAtTheEnd(_ fixture: Fixture) async throws {
        let mailbox = try await seeded(fixture, left: 2)
        let other = try MailboxID(sender: "carol", receiver: "bob")
        let before = try await fixture.store.head(mailbox)
        let batch = (0..<3).map { Append(mailbox, text: "\($0)") }
        let error = try await expectRefusal(.sequenceExhausted, "three where two are left") {
            () throws(StoreError) in
            try await fixture.store.append(atomically: [Append(other, text: "other")] + batch)
        }
        try expectEqual(error.facts.mailbox, mailbox, "the mailbox that refused")
        try expectEqual(try await fixture.store.head(mailbox), before, "the head stays")
        try expectEqual(try await fixture.store.head(other), .empty, "the other stays")
        let results = try await fixture.store.append(atomically: Array(batch.prefix(2)))
        try expectEqual(results.map(\.sequence), [last - 1, last], "two where two are left")
    }

    private static func readAtTheEnd(_ fixture: Fixture) async throws {
        let mailbox = try await seeded(fixture, left: 5)
        try await fixture.fill(mailbox, 5)
        let newest = [last - 4, last - 3, last - 2, last - 1, last]
        try expectEqual(
            try await fixture.fetch(mailbox, last - 5).messages.sequences, newest, "fetched")
        let read = try await fixture.store.read(
            mailbox, after: last - 2, through: last, limit: .standard)
        try expectEqual(read.messages.sequences, [last - 1, last], "read")
        try expectEqual(read.messages.lastSequence, last, "the batch's last sequence")
        let end = try await fixture.fetch(mailbox, last)
        try expectEqual(end.messages.count, 0, "messages above the last")
        try expectEqual(end.head.acknowledged, last, "acknowledged")
        _ = try await fixture.store.compact(.unacknowledged)
        let head = try await fixture.store.head(mailbox)
        try expectEqual(head.floor, last, "the floor")
        try expectEqual(head.storedCount, 0, "messages left")
        try expectEqual(
            try await fixture.store.read(mailbox, after: last, through: nil, limit: .standard)
                .messages.count, 0, "messages behind the end")
    }
}
