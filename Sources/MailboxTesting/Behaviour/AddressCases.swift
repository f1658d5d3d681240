internal import Mailbox

extension BehaviourSuite {
    static let addressCases: [BehaviourCase] = [
        BehaviourCase("address: of 1 and of 64 bytes", addressSizes),
        BehaviourCase("address: one that begins another never mixes with it", addressPrefixes),
        BehaviourCase("address: composed and decomposed accents are two", addressAccents),
        BehaviourCase("address: every script", addressScripts),
        BehaviourCase("address: sender and receiver may be the same", addressSelf),
        BehaviourCase("device: of 1 and of 64 bytes, and one that begins another", deviceSizes),
    ]

    /// Every pair of these must be a mailbox of its own: messages, inbox, sync and numbering.
    private static func expectApart(_ names: [String], _ fixture: Fixture) async throws {
        var mailboxes: [MailboxID] = []
        for receiver in names {
            for sender in names {
                mailboxes.append(try MailboxID(sender: sender, receiver: receiver))
            }
        }
        for (index, mailbox) in mailboxes.enumerated() {
            let count = ClientSequence(index % 3 + 1)
            for number in 1...count {
                let sequence = try await fixture.store(
                    mailbox, "phone", number, text: "\(index) \(number)")
                try expectEqual(sequence, number, "\(mailbox)")
            }
        }
        for (index, mailbox) in mailboxes.enumerated() {
            try expectBodies(
                try await fixture.fetch(mailbox, 0).messages,
                (1...(index % 3 + 1)).map { Array("\(index) \($0)".utf8) }, "\(mailbox)")
        }
        let senders = try names.map { try Address($0) }.sorted()
        for receiver in senders {
            let inbox = try await fixture.store.inbox(receiver, after: nil, limit: 1_000)
            try expectEqual(inbox.entries.map(\.sender), senders, "the inbox of \(receiver)")
            let sync = try await fixture.store.sync(receiver, cursors: [:], limit: .standard)
            try expectEqual(sync.entries.map(\.sender), senders, "the sync of \(receiver)")
        }
        try await fixture.acknowledge(mailboxes[0], 1)
        for mailbox in mailboxes.dropFirst() {
            let head = try await fixture.store.head(mailbox)
            try expectEqual(head.acknowledged, 0, "\(mailbox): acknowledged")
        }
    }

    private static func addressSizes(_ fixture: Fixture) async throws {
        try await expectApart(
            [
                "a", "b", String(repeating: "a", count: 63), String(repeating: "a", count: 64),
                String(repeating: "a", count: 63) + "b", String(repeating: "é", count: 32),
            ], fixture)
    }

    private static func addressPrefixes(_ fixture: Fixture) async throws {
        try await expectApart(["a", "aa", "ab", "aaa", "b", "ba", "a b"], fixture)
    }

    private static func addressAccents(_ fixture: Fixture) async throws {
        try await expectApart(["\u{E9}", "e\u{301}", "e", "\u{C9}", "E"], fixture)
    }

    private static func addressScripts(_ fixture: Fixture) async throws {
        let names = ["Ünïcode", "日本語", "👩‍👩‍👧", "עברית", "~!@#$%^&*()_+/\\"]
        try await expectApart(names, fixture)
    }

    private static func addressSelf(_ fixture: Fixture) async throws {
        let mailbox = try MailboxID(sender: "bob", receiver: "bob")
        try await fixture.fill(mailbox, 3)
        let sync = try await fixture.store.sync(mailbox.receiver, cursors: [:], limit: .standard)
        try expectEqual(sync.entries.map(\.sender), [mailbox.sender], "who wrote to bob")
        try expectEqual(try await fixture.fetch(mailbox, 2).messages.sequences, [3], "what waits")
    }

    private static func deviceSizes(_ fixture: Fixture) async throws {
        let mailbox = try fixture.mailbox
        let devices = [
            "p", "ph", "pp", "\u{E9}", "e\u{301}", String(repeating: "p", count: 63),
            String(repeating: "p", count: 64),
        ]
        var stored: [(Append, SequenceNumber)] = []
        for number in ClientSequence(1)...3 {
            for device in devices {
                let append = try Append(mailbox, device, number, text: "\(device) \(number)")
                let result = try await fixture.store.append(append)
                try expect(!result.isDuplicate, "\(device)'s \(number) is new")
                stored.append((append, SequenceNumber(stored.count + 1)))
                try expectEqual(result.sequence, stored.last?.1, "\(device)'s \(number)")
            }
        }
        for (append, sequence) in stored {
            let again = try await fixture.store.append(append)
            try expect(again.isDuplicate, "sent again is a duplicate")
            try expectEqual(again.sequence, sequence, "its first sequence")
        }
        try expectEqual(
            try await fixture.fetch(mailbox, 0).messages.map(\.producer),
            stored.map(\.0.producer), "each message's producer")
    }
}
