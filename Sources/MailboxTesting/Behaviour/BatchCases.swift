internal import Mailbox

extension BehaviourSuite {
    static let batchCases: [BehaviourCase] = [
        BehaviourCase("batch: one answer for each append, in their order", batchOrder),
        BehaviourCase("batch: a refused append stops no other", refusedStopsNoOther),
        BehaviourCase("batch: each append sees those in front of it", seesThoseInFront),
        BehaviourCase("batch: a refused number is not overtaken within the batch", batchGap),
        BehaviourCase("batch: an empty one is answered with nothing", emptyBatch),
        BehaviourCase("batch: more appends than a call may have are refused", batchTooLong),
        BehaviourCase("atomic batch: all are stored", atomicAll),
        BehaviourCase("atomic batch: one refusal, and nothing is stored", atomicNothing),
        BehaviourCase("atomic batch: the refusal names its mailbox", atomicNamesMailbox),
        BehaviourCase("atomic batch: duplicates inside it are answered", atomicDuplicates),
        BehaviourCase("atomic batch: it can be sent again as a whole", atomicAgain),
    ]

    private static func batchOrder(_ fixture: Fixture) async throws {
        let mailboxes = try (0..<5).map { try MailboxID(sender: "s\($0)", receiver: "r\($0 % 2)") }
        var batch: [Append] = []
        for round in 0..<10 {
            for mailbox in mailboxes { batch.append(Append(mailbox, text: "\(round)")) }
        }
        let results = try await fixture.store.append(batch: batch)
        try expectEqual(results.count, batch.count, "the number of answers")
        for (index, result) in results.enumerated() {
            try expectEqual(
                try result.get().sequence, SequenceNumber(index / 5 + 1), "the answer to \(index)")
        }
        for mailbox in mailboxes {
            try expectBodies(
                try await fixture.fetch(mailbox, 0).messages, (0..<10).map { Array("\($0)".utf8) },
                "\(mailbox)")
        }
    }

    private static func refusedStopsNoOther(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let tooLarge = [UInt8](repeating: 1, count: fixture.messageBytesMaximum + 1)
        try await fixture.store(mailbox, "phone", 1, text: "first")
        let results = try await fixture.store.append(batch: [
            Append(mailbox, text: "a"), Append(mailbox, body: tooLarge),
            Append(mailbox, "phone", 0), Append(mailbox, "phone", 3),
            Append(mailbox, "phone", 1, text: "other"), Append(mailbox, "phone", 2, text: "b"),
            Append(mailbox, text: "c"),
        ])
        try expectEqual(results.count, 7, "the number of answers")
        try expectEqual(try results[0].get().sequence, 2, "the one in front")
        try expectRefusal(.messageTooLarge, "too large", in: results[1])
        try expectRefusal(.invalidArgument, "number 0", in: results[2])
        let gap = try expectRefusal(.producerGap, "number 3", in: results[3])
        try expectEqual(gap.facts.expectedClientSequence, 2, "the number to send")
        try expectRefusal(.producerConflict, "number 1, other bytes", in: results[4])
        try expectEqual(try results[5].get().sequence, 3, "number 2")
        try expectEqual(try results[6].get().sequence, 4, "the last")
        try expectBodies(
            try await fixture.fetch(mailbox, 1).messages, ["a", "b", "c"].map { Array($0.utf8) },
            "what was stored")
    }

    private static func seesThoseInFront(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let results = try await fixture.store.append(batch: [
            Append(mailbox, "phone", 1, text: "1"), Append(mailbox, "phone", 2, text: "2"),
            Append(mailbox, "phone", 1, text: "1"), Append(mailbox, "phone", 2, text: "x"),
            Append(mailbox, "phone", 3, text: "3"),
        ])
        try expectEqual(try results[0].get().sequence, 1, "number 1")
        try expectEqual(try results[1].get().sequence, 2, "number 2")
        let again = try results[2].get()
        try expect(again.isDuplicate && again.sequence == 1, "number 1 again is a duplicate of 1")
        try expectRefusal(.producerConflict, "number 2, other bytes", in: results[3])
        try expectEqual(try results[4].get().sequence, 3, "number 3")
        try expectEqual(try await fixture.store.head(mailbox).max, 3, "three were stored")
    }

    private static func batchGap(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let tooLarge = [UInt8](repeating: 1, count: fixture.messageBytesMaximum + 1)
        let phone = try DeviceID("phone")
        let results = try await fixture.store.append(batch: [
            Append(mailbox, "phone", 1),
            Append(mailbox, producer: Producer(device: phone, clientSequence: 2), body: tooLarge),
            Append(mailbox, "phone", 3), Append(mailbox, "phone", 4),
        ])
        try expectRefusal(.messageTooLarge, "number 2", in: results[1])
        try expectRefusal(.producerGap, "number 3", in: results[2])
        try expectRefusal(.producerGap, "number 4", in: results[3])
        try expectEqual(
            try await fixture.store.sendState(mailbox, device: phone), 1, "the last number stored")
    }

    private static func emptyBatch(_ fixture: Fixture) async throws {
        try expectEqual(try await fixture.store.append(batch: []).count, 0, "answers")
        try expectEqual(try await fixture.store.append(atomically: []).count, 0, "atomic answers")
    }

    private static func batchTooLong(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let batch = [Append](
            repeating: Append(mailbox, body: [UInt8]()), count: fixture.batchMessagesMaximum + 1)
        try await expectRefusal(.invalidArgument, "one append too many") { () throws(StoreError) in
            try await fixture.store.append(batch: batch)
        }
        try await expectRefusal(.invalidArgument, "one append too many, atomic") {
            () throws(StoreError) in
            try await fixture.store.append(atomically: batch)
        }
        try expectEqual(try await fixture.store.head(mailbox), .empty, "nothing was stored")
        let results = try await fixture.store.append(batch: Array(batch.dropLast()))
        try expectEqual(results.count, fixture.batchMessagesMaximum, "the longest batch's answers")
    }

    private static func atomicAll(_ fixture: Fixture) async throws {
        let bob = try MailboxID(sender: "alice", receiver: "bob")
        let fromCarol = try MailboxID(sender: "carol", receiver: "bob")
        try await fixture.store(fromCarol)
        let results = try await fixture.store.append(atomically: [
            Append(bob, "phone", 1, text: "1"), Append(fromCarol, text: "2"),
            Append(bob, "phone", 2, text: "3"),
        ])
        try expectEqual(results.map(\.sequence), [1, 2, 2], "the sequences")
        try expectEqual(results.map(\.isDuplicate), [false, false, false], "duplicates")
        try expectBodies(
            try await fixture.fetch(bob, 0).messages, [Array("1".utf8), Array("3".utf8)], "\(bob)")
    }

    private static func atomicNothing(_ fixture: Fixture) async throws {
        let bob = try MailboxID(sender: "alice", receiver: "bob")
        let other = try MailboxID(sender: "carol", receiver: "bob")
        let phone = try DeviceID("phone")
        let tooLarge = [UInt8](repeating: 1, count: fixture.messageBytesMaximum + 1)
        try await fixture.store(bob, "phone", 1, text: "one")
        let before = try await fixture.store.head(bob)
        let good = [
            Append(other, text: "a"), try Append(bob, "phone", 2), Append(other, text: "b"),
        ]
        for (bad, code) in [
            (try Append(bob, "phone", 4), .producerGap),
            (try Append(bob, "phone", 1, text: "two"), .producerConflict),
            (try Append(bob, "phone", 0), .invalidArgument),
            (Append(other, body: tooLarge), .messageTooLarge),
        ] as [(Append, StoreError.Code)] {
            for place in 0...good.count {
                var batch = good
                batch.insert(bad, at: place)
                try await expectRefusal(code, "\(code) at \(place)") { () throws(StoreError) in
                    try await fixture.store.append(atomically: batch)
                }
                try expectEqual(try await fixture.store.head(bob), before, "\(bob) stays")
                try expectEqual(try await fixture.store.head(other), .empty, "\(other) stays")
                try expectEqual(
                    try await fixture.store.sendState(bob, device: phone), 1, "phone's number")
            }
        }
        let results = try await fixture.store.append(atomically: good)
        try expectEqual(results.map(\.sequence), [1, 2, 2], "the good ones alone")
    }

    private static func atomicNamesMailbox(_ fixture: Fixture) async throws {
        let bob = try MailboxID(sender: "alice", receiver: "bob")
        let guilty = try MailboxID(sender: "carol", receiver: "bob")
        let error = try await expectRefusal(.producerGap, "number 2 of a new device") {
            () throws(StoreError) in
            try await fixture.store.append(atomically: [
                Append(bob, text: "a"), Append(guilty, "phone", 2), Append(bob, text: "b"),
            ])
        }
        try expectEqual(error.facts.mailbox, guilty, "the mailbox that refused")
        try expectEqual(error.facts.expectedClientSequence, 1, "the number to send")
    }

    private static func atomicDuplicates(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1, text: "1")
        let results = try await fixture.store.append(atomically: [
            Append(mailbox, "phone", 1, text: "1"), Append(mailbox, "phone", 2, text: "2"),
            Append(mailbox, "phone", 2, text: "2"), Append(mailbox, "phone", 3, text: "3"),
        ])
        try expectEqual(results.map(\.sequence), [1, 2, 2, 3], "the sequences")
        try expectEqual(results.map(\.isDuplicate), [true, false, true, false], "duplicates")
        try expectEqual(try await fixture.store.head(mailbox).max, 3, "three were stored")
    }

    private static func atomicAgain(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let batch = try (ClientSequence(1)...5).map {
            try Append(mailbox, "phone", $0, text: "\($0)")
        }
        let first = try await fixture.store.append(atomically: batch)
        let second = try await fixture.store.append(atomically: batch)
        try expectEqual(second.map(\.sequence), first.map(\.sequence), "the same sequences")
        try expectEqual(second.map(\.isDuplicate), batch.map { _ in true }, "all duplicates")
        try expectEqual(try await fixture.store.head(mailbox).max, 5, "five were stored")
    }
}
