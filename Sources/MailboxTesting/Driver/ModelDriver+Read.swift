internal import Mailbox

extension ModelDriver {
    func resolve(_ plan: Operation.CursorPlan, of mailbox: MailboxID) -> Cursor {
        let head = modelHead(mailbox)
        let epoch = model.inspect { $0.epoch }
        func part(_ permille: Int) -> SequenceNumber {
            SequenceNumber(Int(head.max) * permille / 1_000)
        }
        switch plan {
        case .nothing: return .zero
        case .acknowledged: return Cursor(head.acknowledged, epoch: epoch)
        case .permille(let permille): return Cursor(part(permille), epoch: epoch)
        case .ahead(let count): return Cursor(head.max + count, epoch: epoch)
        case .otherEpoch(let permille):
            return Cursor(part(permille), epoch: Epoch(rawValue: epoch.rawValue ^ 2))
        case .withoutEpoch(let permille): return Cursor(part(permille), epoch: nil)
        }
    }

    func fetch(_ mailbox: MailboxID, _ cursor: Cursor, _ limit: PageLimit) async throws {
        let actual = await answer { () throws(StoreError) in
            try await self.store.fetch(mailbox, cursor: cursor, limit: limit)
        }
        let expected = await answer { () throws(StoreError) in
            try await self.model.fetch(mailbox, cursor: cursor, limit: limit)
        }
        if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
        guard case .success(let wanted) = expected, case .success(let got) = actual else {
            return try expectRefusals(expected, actual, "fetch of \(mailbox)")
        }
        try expectPages(wanted, got, "fetch of \(mailbox) from \(cursor.sequence)")
        try observe(mailbox, got.head)
    }

    func read(
        _ mailbox: MailboxID, _ after: SequenceNumber, _ through: SequenceNumber?,
        _ limit: PageLimit
    ) async throws {
        let what = "read of \(mailbox) after \(after)"
        let actual = await answer { () throws(StoreError) in
            try await self.store.read(mailbox, after: after, through: through, limit: limit)
        }
        if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
        switch actual {
        case .success(let result):
            try expect(result.head.floor <= after, "\(what): below its own floor")
        case .failure(let error):
            guard let floor = error.facts.floor else { break }
            // The store's floor is the truth, within bounds, and may have moved on since.
            let head = try await store.head(mailbox)
            try observe(mailbox, head)
            try expectEqual(error.code, .trimmed, "\(what): the refusal with a floor")
            return try expect(
                after < floor && floor <= head.floor,
                "\(what): trimmed through \(floor), where the floor is \(head.floor)")
        }
        let expected = await answer { () throws(StoreError) in
            try await self.model.read(mailbox, after: after, through: through, limit: limit)
        }
        guard case .success(let wanted) = expected, case .success(let got) = actual else {
            return try expectRefusals(expected, actual, what)
        }
        try expectPages(wanted, got, what)
        try observe(mailbox, got.head)
    }

    func acknowledge(_ mailbox: MailboxID, _ cursor: Cursor) async throws {
        let actual = await answer { () throws(StoreError) in
            try await self.store.acknowledge(mailbox, through: cursor)
        }
        let expected = await answer { () throws(StoreError) in
            try await self.model.acknowledge(mailbox, through: cursor)
        }
        if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
        guard case .success = expected, case .success(let got) = actual else {
            return try expectRefusals(expected, actual, "acknowledge of \(mailbox)")
        }
        try observe(mailbox, got)
    }

    func inbox(_ receiver: Address, _ after: Address?, _ limit: Int) async throws {
        let actual = await answer { () throws(StoreError) in
            try await self.store.inbox(receiver, after: after, limit: limit)
        }
        if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
        let expected = await answer { () throws(StoreError) in
            try await self.model.inbox(receiver, after: after, limit: limit)
        }
        guard case .success(let wanted) = expected, case .success(let got) = actual else {
            return try expectRefusals(expected, actual, "inbox of \(receiver)")
        }
        try expectEqual(
            got.entries.map(\.sender), wanted.entries.map(\.sender), "inbox of \(receiver)")
        try expectEqual(got.next, wanted.next, "inbox of \(receiver): the next page")
        for entry in got.entries {
            try observe(MailboxID(sender: entry.sender, receiver: receiver), entry.head)
        }
    }

    func sync(
        _ receiver: Address, _ plans: [Address: Operation.CursorPlan], _ limit: PageLimit
    ) async throws {
        var cursors: [Address: Cursor] = [:]
        for (sender, plan) in plans {
            cursors[sender] = resolve(plan, of: MailboxID(sender: sender, receiver: receiver))
        }
        let said = cursors
        let actual = await answer { () throws(StoreError) in
            try await self.store.sync(receiver, cursors: said, limit: limit)
        }
        let expected = await answer { () throws(StoreError) in
            try await self.model.sync(receiver, cursors: said, limit: limit)
        }
        if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
        guard case .success(let wanted) = expected, case .success(let got) = actual else {
            // Several cursors may be bad, and any of them may be the one that is named.
            if case .failure(let one) = expected, case .failure(let other) = actual,
                one.code != .invalidArgument
            {
                let codes: Set<StoreError.Code> = [.epochChanged, .cursorAhead]
                return try expect(
                    codes.contains(other.code), "sync of \(receiver): refused with \(other.code)")
            }
            return try expectRefusals(expected, actual, "sync of \(receiver)")
        }
        try expectEqual(
            got.entries.map(\.sender), wanted.entries.map(\.sender), "sync of \(receiver)")
        try expectEqual(got.hasMore, wanted.hasMore, "sync of \(receiver): hasMore")
        try expectEqual(got.epoch, wanted.epoch, "sync of \(receiver): the epoch")
        for (one, other) in zip(wanted.entries, got.entries) {
            let mailbox = MailboxID(sender: one.sender, receiver: receiver)
            try expectPages(one.result, other.result, "sync, \(mailbox)")
            try observe(mailbox, other.result.head)
        }
    }

    private func expectPages(
        _ expected: FetchResult, _ actual: FetchResult, _ what: String
    ) throws {
        try expectEqual(
            actual.messages.sequences, expected.messages.sequences, "\(what): the messages")
        try expect(
            haveSameMessages(actual.messages, expected.messages),
            "\(what): a message's body, producer or timestamp is another")
        try expectEqual(actual.messages.count, expected.messages.count, "\(what): the count")
        try expectEqual(actual.messages.bodyBytes, expected.messages.bodyBytes, "\(what): bytes")
        try expectEqual(actual.hasMore, expected.hasMore, "\(what): hasMore")
        try expectEqual(actual.epoch, expected.epoch, "\(what): the epoch")
    }

    /// Reads everything there is, and compares it with the model.
    func compareEverything() async throws {
        for mailbox in universe.mailboxes {
            try observe(mailbox, try await store.head(mailbox))
            var after = modelHead(mailbox).floor
            while after < modelHead(mailbox).max {
                let limit = PageLimit(messages: 1_000, bytes: 1 << 20)
                try await read(mailbox, after, nil, limit)
                let floor = modelHead(mailbox).floor
                let page = try await model.read(
                    mailbox, after: max(after, floor), through: nil, limit: limit)
                after = page.messages.lastSequence ?? page.head.max
            }
            for device in universe.devices {
                try await perform(.sendState(mailbox, device))
            }
        }
        for receiver in universe.receivers {
            try await inbox(receiver, nil, 10_000)
        }
        try await subject.verify?(store)
    }
}
