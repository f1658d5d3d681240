internal import Mailbox

extension BehaviourSuite {
    static let producerCases: [BehaviourCase] = [
        BehaviourCase("producer: a message sent again gets its first sequence", duplicate),
        BehaviourCase("producer: a gap is refused and names the next number", gap),
        BehaviourCase("producer: a failed number is never overtaken", neverOvertaken),
        BehaviourCase("producer: the first number of a device is 1", firstNumber),
        BehaviourCase("producer: number 0 is refused", zero),
        BehaviourCase("producer: the same number with other bytes is refused", conflict),
        BehaviourCase("producer: devices of one sender count apart", devicesApart),
        BehaviourCase("producer: one device counts apart in each mailbox", mailboxesApart),
        BehaviourCase("producer: the newest 1 024 numbers can be told", window),
        BehaviourCase("producer: the numbering outlives the messages", outlivesMessages),
        BehaviourCase("producer: a conflict is seen after the message is gone", conflictWhenGone),
        BehaviourCase("sendState: 0 at first, then the last number stored", sendState),
        BehaviourCase("sendState: refusals and duplicates do not move it", sendStateStays),
    ]

    private static func duplicate(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, text: "in front")
        for number in ClientSequence(1)...5 {
            try await fixture.store(mailbox, "phone", number, text: "message \(number)")
            try await fixture.store(mailbox, text: "between")
        }
        let before = try await fixture.store.head(mailbox)
        for number in [5, 1, 3, 3] as [ClientSequence] {
            let result = try await fixture.store.append(
                Append(mailbox, "phone", number, text: "message \(number)"))
            try expect(result.isDuplicate, "number \(number) sent again is a duplicate")
            try expectEqual(result.sequence, number * 2, "number \(number)'s first sequence")
        }
        try expectEqual(try await fixture.store.head(mailbox), before, "the head stays")
        let next = try await fixture.store(mailbox, "phone", 6)
        try expectEqual(next, before.max + 1, "a duplicate takes no sequence")
    }

    private static func gap(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1)
        for number in [3, 4, 1_000, .max] as [ClientSequence] {
            let error = try await expectRefusal(.producerGap, "number \(number) after 1") {
                () throws(StoreError) in
                try await fixture.store.append(Append(mailbox, "phone", number))
            }
            try expectEqual(error.facts.expectedClientSequence, 2, "the number to send")
        }
        try expectEqual(try await fixture.store.head(mailbox).max, 1, "nothing was stored")
    }

    private static func neverOvertaken(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1)
        let tooLarge = [UInt8](repeating: 1, count: fixture.messageBytesMaximum + 1)
        let second = Producer(device: try DeviceID("phone"), clientSequence: 2)
        try await expectRefusal(.messageTooLarge, "number 2") { () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, producer: second, body: tooLarge))
        }
        try await expectRefusal(.producerGap, "number 3 after a failed 2") {
            () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, "phone", 3))
        }
        try expectEqual(try await fixture.store(mailbox, "phone", 2), 2, "number 2 at last")
        try expectEqual(try await fixture.store(mailbox, "phone", 3), 3, "number 3 then")
    }

    private static func firstNumber(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let error = try await expectRefusal(.producerGap, "number 2 of a new device") {
            () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, "phone", 2))
        }
        try expectEqual(error.facts.expectedClientSequence, 1, "the number to send")
        try expectEqual(
            try await fixture.store.head(mailbox), .empty, "a refusal makes no mailbox")
        try expectEqual(
            try await fixture.store.inbox(mailbox.receiver, after: nil, limit: 10).entries.count, 0,
            "a refusal is in no inbox")
    }

    private static func zero(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1)
        try await expectRefusal(.invalidArgument, "number 0") { () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, "phone", 0))
        }
        try expectEqual(try await fixture.store.head(mailbox).max, 1, "nothing was stored")
    }

    private static func conflict(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1, text: "one")
        try await fixture.store(mailbox, "phone", 2, text: "two")
        let before = try await fixture.store.head(mailbox)
        for (number, text) in [(2, "owt"), (1, "two"), (1, ""), (2, "two ")]
            as [(ClientSequence, String)]
        {
            try await expectRefusal(.producerConflict, "number \(number) with other bytes") {
                () throws(StoreError) in
                try await fixture.store.append(Append(mailbox, "phone", number, text: text))
            }
        }
        try expectEqual(try await fixture.store.head(mailbox), before, "nothing was stored")
        let again = try await fixture.store.append(Append(mailbox, "phone", 2, text: "two"))
        try expectEqual(again.sequence, 2, "the right bytes are a duplicate still")
        try expectEqual(try await fixture.store(mailbox, "phone", 3), 3, "the device goes on")
    }

    private static func devicesApart(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try expectEqual(try await fixture.store(mailbox, "phone", 1), 1, "phone's 1")
        try expectEqual(try await fixture.store(mailbox, "laptop", 1), 2, "laptop's 1")
        try expectEqual(try await fixture.store(mailbox, "phone", 2), 3, "phone's 2")
        try expectEqual(try await fixture.store(mailbox, "phone2", 1), 4, "phone2's 1")
        let again = try await fixture.store.append(Append(mailbox, "laptop", 1))
        try expectEqual(again.sequence, 2, "laptop's 1 again")
        try expect(again.isDuplicate, "laptop's 1 again is a duplicate")
    }

    private static func mailboxesApart(_ fixture: Fixture) async throws {
        let bob = try MailboxID(sender: "alice", receiver: "bob")
        let carol = try MailboxID(sender: "alice", receiver: "carol")
        let other = try MailboxID(sender: "dave", receiver: "bob")
        for number in ClientSequence(1)...3 { try await fixture.store(bob, "phone", number) }
        try expectEqual(try await fixture.store(carol, "phone", 1), 1, "to another receiver")
        try expectEqual(try await fixture.store(other, "phone", 1), 1, "from another sender")
        try expectEqual(try await fixture.store(bob, "phone", 4), 4, "to the first one")
    }

    private static func window(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let count: ClientSequence = 1_100
        try await fixture.store(mailbox, text: "in front")
        for start in stride(from: ClientSequence(1), through: count, by: 50) {
            let batch = try (start..<min(start + 50, count + 1)).map {
                try Append(mailbox, "phone", $0, text: "\($0)")
            }
            for result in try await fixture.store.append(batch: batch) { _ = try result.get() }
        }
        for number in [count, count - 500, count - 1_023] {
            let result = try await fixture.store.append(
                Append(mailbox, "phone", number, text: "\(number)"))
            try expect(result.isDuplicate, "number \(number) is a duplicate")
            try expectEqual(result.sequence, number + 1, "the sequence of number \(number)")
            try await expectRefusal(.producerConflict, "number \(number), other bytes") {
                () throws(StoreError) in
                try await fixture.store.append(Append(mailbox, "phone", number, text: "other"))
            }
        }
        for number in [count - 1_024, 40, 1] {
            let result = try await fixture.store.append(
                Append(mailbox, "phone", number, text: "\(number)"))
            try expect(result.isDuplicate, "number \(number) is a duplicate without a window")
            try expect(
                result.sequence == nil || result.sequence == number + 1,
                "an old number's sequence is the right one, or none")
        }
        try expectEqual(try await fixture.store.head(mailbox).max, count + 1, "nothing was stored")
    }

    private static func outlivesMessages(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for number in ClientSequence(1)...5 { try await fixture.store(mailbox, "phone", number) }
        try await fixture.acknowledge(mailbox, 5)
        _ = try await fixture.store.compact(.unacknowledged)
        try expectEqual(try await fixture.store.head(mailbox).storedCount, 0, "messages left")
        let again = try await fixture.store.append(Append(mailbox, "phone", 4))
        try expect(again.isDuplicate, "number 4 is a duplicate when its message is gone")
        try expectEqual(again.sequence, 4, "number 4's sequence")
        try await expectRefusal(.producerGap, "number 7") { () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, "phone", 7))
        }
        try expectEqual(try await fixture.store(mailbox, "phone", 6), 6, "the next one")
    }

    private static func conflictWhenGone(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1, text: "one")
        try await fixture.acknowledge(mailbox, 1)
        _ = try await fixture.store.compact(.unacknowledged)
        try await expectRefusal(.producerConflict, "number 1 with other bytes") {
            () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, "phone", 1, text: "two"))
        }
    }

    private static func sendState(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let phone = try DeviceID("phone")
        let laptop = try DeviceID("laptop")
        try expectEqual(
            try await fixture.store.sendState(mailbox, device: phone), 0, "an unknown mailbox's")
        for number in ClientSequence(1)...3 {
            try await fixture.store(mailbox, "phone", number)
            try await fixture.store(mailbox)
            try expectEqual(
                try await fixture.store.sendState(mailbox, device: phone), number, "phone's")
            try expectEqual(
                try await fixture.store.sendState(mailbox, device: laptop), 0, "laptop's")
        }
    }

    private static func sendStateStays(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let phone = try DeviceID("phone")
        for number in ClientSequence(1)...3 { try await fixture.store(mailbox, "phone", number) }
        for number in [2, 9] as [ClientSequence] {
            _ = try await fixture.store.append(batch: [Append(mailbox, "phone", number)])
            try expectEqual(
                try await fixture.store.sendState(mailbox, device: phone), 3,
                "the last number after \(number)")
        }
    }
}
