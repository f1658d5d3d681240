internal import Mailbox

extension BehaviourSuite {
    static let concurrencyCases: [BehaviourCase] = [
        BehaviourCase("at once: appends to one mailbox get each sequence once", appendersAtOnce),
        BehaviourCase("at once: two devices race, none is skipped, none twice", devicesAtOnce),
        BehaviourCase("at once: the same message sent by many is stored once", resendsAtOnce),
        BehaviourCase("at once: a fetch beside appends never sees a hole", fetchBesideAppends),
        BehaviourCase("at once: confirmations only grow", confirmationsAtOnce),
        BehaviourCase(
            "at once: compaction beside appends and fetches loses nothing", compactionBeside),
    ]

    private static func appendersAtOnce(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let store = fixture.store
        let sequences = try await withThrowingTaskGroup(of: [SequenceNumber].self) { group in
            for task in 0..<8 {
                group.addTask {
                    var sequences: [SequenceNumber] = []
                    for number in 0..<10 {
                        let result = try await store.append(
                            Append(mailbox, text: "\(task) \(number)"))
                        sequences.append(result.sequence ?? 0)
                    }
                    try expectEqual(sequences, sequences.sorted(), "one task's sequences grow")
                    return sequences
                }
            }
            return try await group.reduce(into: []) { $0 += $1 }
        }
        try expectEqual(sequences.sorted(), Array(1...80), "all sequences")
        let messages = try await fixture.drain(mailbox)
        try expectEqual(Set(messages.map { Array($0.body) }).count, 80, "different messages")
    }

    private static func devicesAtOnce(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let store = fixture.store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for device in ["phone", "laptop"] {
                group.addTask {
                    for number in ClientSequence(1)...40 {
                        let append = try Append(
                            mailbox, device, number, text: "\(device) \(number)")
                        let results = try await store.append(batch: [append, append])
                        try expect(try !results[0].get().isDuplicate, "\(device) \(number) is new")
                        try expect(try results[1].get().isDuplicate, "\(device) \(number) again")
                    }
                }
            }
            try await group.waitForAll()
        }
        let messages = try await fixture.drain(mailbox)
        for device in ["phone", "laptop"] {
            let numbers = messages.filter { $0.producer?.device.description == device }
                .compactMap(\.producer?.clientSequence)
            try expectEqual(numbers, Array(1...40), "\(device)'s numbers in order")
        }
        try expectEqual(messages.count, 80, "messages")
    }

    private static func resendsAtOnce(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let store = fixture.store
        for number in ClientSequence(1)...10 {
            let append = try Append(mailbox, "phone", number, text: "\(number)")
            let results = try await withThrowingTaskGroup(of: AppendResult.self) { group in
                for _ in 0..<6 { group.addTask { try await store.append(append) } }
                return try await group.reduce(into: []) { $0.append($1) }
            }
            try expectEqual(Set(results.map(\.sequence)), [number], "the sequence of \(number)")
            try expectEqual(results.filter { !$0.isDuplicate }.count, 1, "stored how often")
        }
    }

    private static func fetchBesideAppends(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let store = fixture.store
        try await withThrowingTaskGroup(of: Void.self) { group in
            for _ in 0..<3 {
                group.addTask {
                    for number in 0..<30 {
                        _ = try await store.append(batch: [
                            Append(mailbox, text: "\(number)"), Append(mailbox, text: "\(number)"),
                        ])
                    }
                }
            }
            group.addTask {
                var cursor = Cursor.zero
                while cursor.sequence < 180 {
                    let page = try await store.fetch(
                        mailbox, cursor: cursor, limit: PageLimit(messages: 7))
                    let count = SequenceNumber(page.messages.count)
                    let expected = (0..<count).map { cursor.sequence + 1 + $0 }
                    try expectEqual(page.messages.sequences, expected, "without a hole")
                    try expect(page.head.max >= cursor.sequence + count, "the head is not behind")
                    cursor = Cursor(cursor.sequence + count, epoch: page.epoch)
                    await Task.yield()
                }
            }
            try await group.waitForAll()
        }
        try expectEqual(try await store.head(mailbox).max, 180, "messages")
    }

    private static func confirmationsAtOnce(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let store = fixture.store
        try await fixture.fill(mailbox, 80)
        let epoch = try await store.epoch
        try await withThrowingTaskGroup(of: Void.self) { group in
            for device in SequenceNumber(0)..<4 {
                group.addTask {
                    var last: SequenceNumber = 0
                    for step in SequenceNumber(1)...20 {
                        let cursor = Cursor(step * 4 - device, epoch: epoch)
                        let head = try await store.acknowledge(mailbox, through: cursor)
                        try expect(head.acknowledged >= cursor.sequence, "confirmed")
                        try expect(head.acknowledged >= last, "the watermark sank")
                        last = head.acknowledged
                    }
                }
            }
            try await group.waitForAll()
        }
        try expectEqual(try await store.head(mailbox).acknowledged, 80, "acknowledged")
    }

    private static func compactionBeside(_ fixture: Fixture) async throws {
        let store = fixture.store
        let mailboxes = try (0..<4).map { try MailboxID(sender: "s\($0)", receiver: "bob") }
        try await withThrowingTaskGroup(of: Bool.self) { group in
            for mailbox in mailboxes {
                group.addTask {
                    for number in 0..<60 {
                        _ = try await store.append(Append(mailbox, text: "\(number)"))
                    }
                    return true
                }
                group.addTask {
                    var cursor = Cursor.zero
                    while cursor.sequence < 60 {
                        let page = try await store.fetch(mailbox, cursor: cursor, limit: .standard)
                        for message in page.messages {
                            try expectEqual(message.sequence, cursor.sequence + 1, "\(mailbox)")
                            try expect(
                                Array(message.body) == Array("\(cursor.sequence)".utf8),
                                "\(mailbox): another message's body")
                            cursor = Cursor(message.sequence, epoch: page.epoch)
                        }
                        await Task.yield()
                    }
                    return true
                }
            }
            group.addTask {
                while !Task.isCancelled {
                    _ = try await store.compact(.unacknowledged)
                    await Task.yield()
                }
                return false
            }
            var left = mailboxes.count * 2
            while left > 0, let isWorker = try await group.next() { left -= isWorker ? 1 : 0 }
            group.cancelAll()
        }
    }
}
