internal import Mailbox

extension BehaviourSuite {
    static let appendCases: [BehaviourCase] = [
        BehaviourCase("append: sequences begin at 1 and have no holes", contiguous),
        BehaviourCase("append: each mailbox counts for itself", countsApart),
        BehaviourCase("append: A to B and B to A are two mailboxes", directions),
        BehaviourCase("append: without a producer every append is new", alwaysNew),
        BehaviourCase("append: a message is visible once it is answered", visibleWhenAnswered),
        BehaviourCase("append: an empty body is a message", emptyBody),
        BehaviourCase("append: bodies of every size come back byte for byte", bodySizes),
        BehaviourCase("append: the largest body is taken, one byte more is refused", largestBody),
        BehaviourCase("append: bodies may hold any bytes", anyBytes),
        BehaviourCase(
            "append: timestamps never go back when the clock does", needs: .clock, clockJumpsBack),
        BehaviourCase("append: the head has the newest message's timestamp", newestTimestamp),
        BehaviourCase("append: a message carries its producer", carriesProducer),
        BehaviourCase("append: the answer tells what a fetch will", answersAsFetched),
    ]

    private static func contiguous(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for expected in SequenceNumber(1)...20 {
            try expectEqual(try await fixture.store(mailbox), expected, "the sequence")
        }
        try expectEqual(try await fixture.store.head(mailbox).max, 20, "the newest sequence")
    }

    private static func countsApart(_ fixture: Fixture) async throws {
        for round in SequenceNumber(1)...3 {
            for sender in ["alice", "carol", "dave"] {
                for receiver in ["bob", "erin"] {
                    let mailbox = try MailboxID(sender: sender, receiver: receiver)
                    try expectEqual(try await fixture.store(mailbox), round, "\(mailbox)")
                }
            }
        }
    }

    private static func directions(_ fixture: Fixture) async throws {
        let there = try MailboxID(sender: "alice", receiver: "bob")
        let back = try MailboxID(sender: "bob", receiver: "alice")
        try await fixture.fill(there, 3)
        try expectEqual(try await fixture.store.head(back), .empty, "the other direction's head")
        try expectEqual(try await fixture.store(back), 1, "the other direction's first sequence")
        try await fixture.acknowledge(there, 2)
        try expectEqual(
            try await fixture.store.head(back).acknowledged, 0, "the other direction's watermark")
    }

    private static func alwaysNew(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try expectEqual(try await fixture.store(mailbox, text: "same"), 1, "the first")
        try expectEqual(try await fixture.store(mailbox, text: "same"), 2, "the second")
        try expectEqual(
            try await fixture.fetch(mailbox, 0).messages.count, 2, "both are there")
    }

    private static func visibleWhenAnswered(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for number in SequenceNumber(1)...10 {
            let sequence = try await fixture.store(mailbox, text: "\(number)")
            let result = try await fixture.fetch(mailbox, number - 1)
            try expectEqual(result.messages.sequences, [sequence], "what the fetch brings")
            try expectBodies(result.messages, [Array("\(number)".utf8)], "what the fetch brings")
            try expectEqual(result.head.max, sequence, "the answer's head")
        }
    }

    private static func emptyBody(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for _ in 0..<3 { _ = try await fixture.store.append(Append(mailbox, body: [UInt8]())) }
        let result = try await fixture.fetch(mailbox, 0)
        try expectBodies(result.messages, [[], [], []], "three empty bodies")
        try expectEqual(result.head.bodyBytes, 0, "the head's bytes")
    }

    private static func bodySizes(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        var random = SeededRandom(seed: 7)
        var sizes = Array(0...40)
        var power = 64
        while power <= min(fixture.messageBytesMaximum, 65_536) {
            sizes += [power - 1, power, power + 1].filter { $0 <= fixture.messageBytesMaximum }
            power *= 2
        }
        let bodies = sizes.map { random.bytes($0) }
        for body in bodies { _ = try await fixture.store.append(Append(mailbox, body: body)) }
        let messages = try await fixture.drain(mailbox)
        try expectEqual(messages.map(\.body.count), sizes, "bytes of each body")
        for (message, body) in zip(messages, bodies) {
            try expect(Array(message.body) == body, "a body of \(body.count) bytes came changed")
        }
    }

    private static func largestBody(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let largest = [UInt8](repeating: 0xA5, count: fixture.messageBytesMaximum)
        _ = try await fixture.store.append(Append(mailbox, body: largest))
        let before = try await fixture.store.head(mailbox)
        try await expectRefusal(.messageTooLarge, "one byte too many") { () throws(StoreError) in
            try await fixture.store.append(Append(mailbox, body: largest + [0]))
        }
        try expectEqual(try await fixture.store.head(mailbox), before, "the head after a refusal")
        let result = try await fixture.fetch(mailbox, 0, limit: PageLimit(messages: 1, bytes: 1))
        try expectBodies(result.messages, [largest], "a message above the byte limit")
    }

    private static func anyBytes(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let bodies: [[UInt8]] = [
            Array(0...255), [0], [0, 0, 0, 0, 0, 0, 0, 0], [0xFF, 0xFE, 0xC0, 0x80],
            Array("\r\n\0\u{1F600}".utf8),
        ]
        for body in bodies { _ = try await fixture.store.append(Append(mailbox, body: body)) }
        try expectBodies(try await fixture.fetch(mailbox, 0).messages, bodies, "all bytes")
    }

    private static func clockJumpsBack(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        guard let clock = fixture.clock else { return }
        let start = clock.now()
        var expected: [Int64] = []
        for (jump, timestamp) in [
            (0, 0), (5, 5), (-86_400_000, 5), (3, 5), (86_400_000, 8), (1, 9),
        ] as [(Int64, Int64)] {
            clock.advance(jump)
            try await fixture.store(mailbox)
            expected.append(start + timestamp)
        }
        let stamps = try await fixture.fetch(mailbox, 0).messages.map(\.timestampMilliseconds)
        try expectEqual(stamps, expected, "timestamps under a clock that jumps a day either way")
    }

    private static func newestTimestamp(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        for _ in 0..<5 {
            try await fixture.store(mailbox)
            let result = try await fixture.fetch(mailbox, 0)
            try expectEqual(
                result.head.newestTimestampMilliseconds,
                Array(result.messages).last?.timestampMilliseconds ?? 0, "the newest timestamp")
            try expect(result.head.newestTimestampMilliseconds > 0, "a timestamp is set")
        }
    }

    private static func answersAsFetched(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let epoch = try await fixture.store.epoch
        for number in ClientSequence(1)...5 {
            let append = try Append(mailbox, "phone", number, text: "\(number)")
            fixture.clock?.advance(Int64(number) * 1_000 - 3_000)
            let single = try await fixture.store.append(append)
            let batch = try await fixture.store.append(batch: [Append(mailbox, text: "in a batch")])
            let atomic = try await fixture.store.append(
                atomically: [Append(mailbox, text: "with others")])
            let again = try await fixture.store.append(append)
            try expectEqual(again.timestampMilliseconds, nil, "a duplicate's time")
            let results = [single, try batch[0].get(), atomic[0]]
            let after = (results[0].sequence ?? 1) - 1
            let page = try await fixture.store.read(
                mailbox, after: after, through: nil, limit: .standard)
            try expectEqual(
                results.map(\.timestampMilliseconds),
                page.messages.map { Optional($0.timestampMilliseconds) }, "the times")
            try expectEqual(
                results.map(\.sequence), page.messages.map { $0.sequence }, "the numbers")
            try expectEqual(
                (results + [again]).map(\.epoch), [Epoch?](repeating: epoch, count: 4), "the epochs"
            )
        }
    }

    private static func carriesProducer(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        try await fixture.store(mailbox, "phone", 1)
        try await fixture.store(mailbox)
        try await fixture.store(mailbox, "laptop", 1)
        try await fixture.store(mailbox, "phone", 2)
        let phone = try DeviceID("phone")
        let laptop = try DeviceID("laptop")
        try expectEqual(
            try await fixture.fetch(mailbox, 0).messages.map(\.producer),
            [
                Producer(device: phone, clientSequence: 1), nil,
                Producer(device: laptop, clientSequence: 1),
                Producer(device: phone, clientSequence: 2),
            ], "each message's producer")
    }
}
