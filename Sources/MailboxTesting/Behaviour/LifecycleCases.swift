internal import Mailbox

extension BehaviourSuite {
    static let lifecycleCases: [BehaviourCase] = [
        BehaviourCase("close: every verb is refused", needs: .close, closedRefuses),
        BehaviourCase("close: watches end", needs: .close, closeEndsWatches),
        BehaviourCase("reopen: messages and heads are as before", needs: .reopen, reopenKeeps),
        BehaviourCase("reopen: the numbering of devices goes on", needs: .reopen, reopenProducers),
        BehaviourCase("reopen: what was removed stays removed", needs: .reopen, reopenRemoved),
        BehaviourCase("reopen: the epoch is the same", needs: .reopen, reopenEpoch),
        BehaviourCase(
            "restore: it has a new epoch, and old cursors are refused", needs: .restore, restored),
        BehaviourCase(
            "restore: messages and numbering are as before", needs: .restore, restoreKeeps),
    ]

    private static func closedRefuses(_ fixture: Fixture) async throws {
        let store = fixture.store
        let mailbox = try fixture.mailbox
        let device = try DeviceID("phone")
        try await fixture.fill(mailbox, 1)
        try await fixture.close?()
        typealias Verb = () async throws(StoreError) -> Void
        let verbs: [(String, Verb)] = [
            (
                "append",
                { () throws(StoreError) in
                    _ = try await store.append(Append(mailbox, text: "a"))
                }
            ),
            (
                "append batch",
                { () throws(StoreError) in
                    _ = try await store.append(batch: [Append(mailbox, text: "a")])
                }
            ),
            (
                "append atomically",
                { () throws(StoreError) in
                    _ = try await store.append(atomically: [Append(mailbox, text: "a")])
                }
            ),
            (
                "sendState",
                { () throws(StoreError) in
                    _ = try await store.sendState(mailbox, device: device)
                }
            ),
            (
                "fetch",
                { () throws(StoreError) in
                    _ = try await store.fetch(mailbox, cursor: .zero, limit: .standard)
                }
            ),
            (
                "read",
                { () throws(StoreError) in
                    _ = try await store.read(mailbox, after: 0, through: nil, limit: .standard)
                }
            ),
            (
                "acknowledge",
                { () throws(StoreError) in
                    _ = try await store.acknowledge(mailbox, through: .zero)
                }
            ),
            ("head", { () throws(StoreError) in _ = try await store.head(mailbox) }),
            (
                "inbox",
                { () throws(StoreError) in
                    _ = try await store.inbox(mailbox.receiver, after: nil, limit: 1)
                }
            ),
            (
                "sync",
                { () throws(StoreError) in
                    _ = try await store.sync(mailbox.receiver, cursors: [:], limit: .standard)
                }
            ),
            ("watch", { () throws(StoreError) in _ = try await store.watch([mailbox.receiver]) }),
            ("compact", { () throws(StoreError) in _ = try await store.compact(nil) }),
        ]
        for (name, verb) in verbs { try await expectRefusal(.closed, name, verb) }
    }

    private static func closeEndsWatches(_ fixture: Fixture) async throws {
        var listener = try await Listener(fixture.store, "bob")
        try await listener.catchUp()
        try await fixture.close?()
        do {
            while try await listener.next() != nil {}
        } catch let error as StoreError {
            try expectEqual(error.code, .closed, "what the watch ends with")
        }
    }

    /// Several mailboxes in several states.
    private static func populate(_ fixture: Fixture) async throws -> [MailboxID] {
        var mailboxes: [MailboxID] = []
        for (index, sender) in ["alice", "carol", "dave", "erin"].enumerated() {
            let mailbox = try MailboxID(sender: sender, receiver: index < 2 ? "bob" : "frank")
            try await fixture.fill(mailbox, 10 * (index + 1))
            for number in ClientSequence(1)...3 {
                try await fixture.store(mailbox, "phone", number, text: "\(number)")
            }
            try await fixture.acknowledge(mailbox, SequenceNumber(index * 5))
            mailboxes.append(mailbox)
        }
        return mailboxes
    }

    private static func contents(
        _ store: any MailboxStorage, _ mailboxes: [MailboxID]
    ) async throws -> [MailboxID: [Message]] {
        var contents: [MailboxID: [Message]] = [:]
        for mailbox in mailboxes {
            let head = try await store.head(mailbox)
            let result = try await store.read(
                mailbox, after: head.floor, through: nil, limit: PageLimit(messages: 100))
            contents[mailbox] = Array(result.messages)
        }
        return contents
    }

    private static func reopenKeeps(_ fixture: Fixture) async throws {
        let mailboxes = try await populate(fixture)
        var heads: [Head] = []
        for mailbox in mailboxes { heads.append(try await fixture.store.head(mailbox)) }
        let before = try await contents(fixture.store, mailboxes)
        guard let store = try await fixture.reopen?() else { return }
        for (mailbox, head) in zip(mailboxes, heads) {
            try expectEqual(try await store.head(mailbox), head, "\(mailbox)")
        }
        try expect(try await contents(store, mailboxes) == before, "the messages are as before")
        let result = try await store.append(Append(mailboxes[0], text: "more"))
        try expectEqual(result.sequence, heads[0].max + 1, "the next sequence")
    }

    private static func reopenProducers(_ fixture: Fixture) async throws {
        let mailboxes = try await populate(fixture)
        guard let store = try await fixture.reopen?() else { return }
        try await expectNumbering(store, mailboxes)
    }

    private static func expectNumbering(
        _ store: any MailboxStorage, _ mailboxes: [MailboxID]
    ) async throws {
        let phone = try DeviceID("phone")
        for (index, mailbox) in mailboxes.enumerated() {
            try expectEqual(
                try await store.sendState(mailbox, device: phone), 3, "\(mailbox): sendState")
            let again = try await store.append(Append(mailbox, "phone", 2, text: "2"))
            try expect(again.isDuplicate, "\(mailbox): number 2 is a duplicate")
            try expectEqual(
                again.sequence, SequenceNumber(10 * (index + 1) + 2), "\(mailbox): number 2")
            try await expectRefusal(.producerConflict, "\(mailbox): number 3, other bytes") {
                () throws(StoreError) in
                try await store.append(Append(mailbox, "phone", 3, text: "x"))
            }
            try await expectRefusal(.producerGap, "\(mailbox): number 5") {
                () throws(StoreError) in
                try await store.append(Append(mailbox, "phone", 5, text: "5"))
            }
            let next = try await store.append(Append(mailbox, "phone", 4, text: "4"))
            try expect(!next.isDuplicate, "\(mailbox): number 4 is new")
        }
    }

    private static func reopenRemoved(_ fixture: Fixture) async throws {
        let mailboxes = try await populate(fixture)
        _ = try await fixture.store.compact(.unacknowledged)
        let before = try await contents(fixture.store, mailboxes)
        guard let store = try await fixture.reopen?() else { return }
        for (index, mailbox) in mailboxes.enumerated() {
            let head = try await store.head(mailbox)
            try expectEqual(head.floor, SequenceNumber(index * 5), "\(mailbox): the floor")
            try expectEqual(head.acknowledged, head.floor, "\(mailbox): acknowledged")
        }
        try expect(try await contents(store, mailboxes) == before, "the messages are as before")
        try await expectNumbering(store, mailboxes)
    }

    private static func reopenEpoch(_ fixture: Fixture) async throws {
        let mailboxes = try await populate(fixture)
        let epoch = try await fixture.store.epoch
        guard let store = try await fixture.reopen?() else { return }
        try expectEqual(try await store.epoch, epoch, "the epoch")
        let result = try await store.fetch(
            mailboxes[0], cursor: Cursor(4, epoch: epoch), limit: .standard)
        try expectEqual(result.messages.first?.sequence, 5, "after a cursor from before")
    }

    private static func restored(_ fixture: Fixture) async throws {
        let mailboxes = try await populate(fixture)
        let old = try await fixture.store.epoch
        guard let store = try await fixture.restore?() else { return }
        let new = try await store.epoch
        try expect(new != old, "a restored store has an epoch of its own")
        for (index, mailbox) in mailboxes.enumerated() {
            let before = try await store.head(mailbox)
            for sequence in [0, 1, 9_999] as [SequenceNumber] {
                let error = try await expectRefusal(.epochChanged, "cursor \(sequence)") {
                    () throws(StoreError) in
                    try await store.fetch(
                        mailbox, cursor: Cursor(sequence, epoch: old), limit: .standard)
                }
                try expectEqual(error.facts.currentEpoch, new, "the epoch told")
            }
            try expectEqual(try await store.head(mailbox), before, "nothing was confirmed")
            let result = try await store.fetch(mailbox, cursor: .zero, limit: .standard)
            try expectEqual(
                result.messages.first?.sequence, SequenceNumber(index * 5 + 1), "from cursor 0")
        }
    }

    private static func restoreKeeps(_ fixture: Fixture) async throws {
        let mailboxes = try await populate(fixture)
        let before = try await contents(fixture.store, mailboxes)
        guard let store = try await fixture.restore?() else { return }
        try expect(try await contents(store, mailboxes) == before, "the messages are as before")
        try await expectNumbering(store, mailboxes)
    }
}
