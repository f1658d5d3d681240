import Mailbox
import MailboxTesting

extension DefectiveStore {
    func fetch(
        _ mailbox: MailboxID, cursor: Cursor, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        let mailbox = seen(mailbox)
        let cursor = try await misread(cursor, of: mailbox)
        if defect == .watermarkSinks, limit.messages >= 1, limit.bytes >= 1 {
            model.modify { $0.mailboxes[mailbox]?.forgetAcknowledgements(above: cursor.sequence) }
        }
        let result = try await model.fetch(mailbox, cursor: cursor, limit: widened(limit))
        if defect == .handsOutWhatIsConfirmed, cursor.sequence >= result.head.floor {
            return try await model.read(
                mailbox, after: cursor.sequence, through: nil, limit: limit)
        }
        return falsified(result, limit)
    }

    func read(
        _ mailbox: MailboxID, after: SequenceNumber, through: SequenceNumber?, limit: PageLimit
    ) async throws(StoreError) -> FetchResult {
        let mailbox = seen(mailbox)
        if defect == .readConfirms {
            model.modify { state in
                let newest = state.mailboxes[mailbox]?.max ?? 0
                state.mailboxes[mailbox]?.acknowledge(through: min(after, newest))
            }
        }
        do {
            let result = try await model.read(
                mailbox, after: after, through: through, limit: widened(limit))
            return falsified(result, limit)
        } catch {
            guard defect == .readsFromBelowTheFloor, let floor = error.facts.floor else {
                throw error
            }
            return try await model.read(mailbox, after: floor, through: through, limit: limit)
        }
    }

    func acknowledge(
        _ mailbox: MailboxID, through cursor: Cursor
    ) async throws(StoreError) -> Head {
        let mailbox = seen(mailbox)
        let cursor = try await misread(cursor, of: mailbox)
        if defect == .watermarkSinks {
            model.modify { $0.mailboxes[mailbox]?.forgetAcknowledgements(above: cursor.sequence) }
        }
        return try await model.acknowledge(mailbox, through: cursor)
    }

    /// Does to a cursor what a store does that checks too little, or too late.
    private func misread(
        _ cursor: Cursor, of mailbox: MailboxID
    ) async throws(StoreError) -> Cursor {
        let current = try await model.epoch
        let newest = try await model.head(mailbox).max
        switch defect {
        case .confirmsAnotherEpoch where cursor.epoch != current && cursor.sequence <= newest:
            model.modify { $0.mailboxes[mailbox]?.acknowledge(through: cursor.sequence) }
            return cursor
        case .confirmsWhatIsAhead where cursor.epoch == current && cursor.sequence > newest:
            model.modify { $0.mailboxes[mailbox]?.acknowledge(through: newest) }
            return cursor
        case .takesACursorWithoutEpoch where cursor.epoch == nil:
            return Cursor(cursor.sequence, epoch: current)
        default:
            return cursor
        }
    }

    private func widened(_ limit: PageLimit) -> PageLimit {
        guard limit.messages >= 1, limit.bytes >= 1 else { return limit }
        switch defect {
        case .ignoresTheCount: return PageLimit(messages: 10_000, bytes: limit.bytes)
        case .ignoresTheBytes: return PageLimit(messages: limit.messages, bytes: 1 << 20)
        default: return limit
        }
    }

    private func falsified(_ result: FetchResult, _ limit: PageLimit) -> FetchResult {
        var result = result
        var messages = Array(result.messages)
        switch defect {
        case .leavesAHole where messages.count > 2: messages.remove(at: 1)
        case .neverSaysMore: result.hasMore = false
        case .alwaysSaysMore: result.hasMore = !messages.isEmpty
        case .answersNothingWhenTooLarge where (messages.first?.body.count ?? 0) > limit.bytes:
            messages = []
        case .timestampsFollowNothing:
            for index in messages.indices {
                messages[index].timestampMilliseconds = Int64(messages.count - index)
            }
        case .producersAreNotHandedOut:
            for index in messages.indices { messages[index].producer = nil }
        default: break
        }
        result.messages = MessageBatch(messages)
        return result
    }
}

// MARK: All senders of a receiver

extension DefectiveStore {
    func inbox(
        _ receiver: Address, after: Address?, limit: Int
    ) async throws(StoreError) -> InboxPage {
        var page = try await model.inbox(
            seen(receiver) ?? receiver, after: after, limit: limit)
        switch defect {
        case .inboxUnordered: page.entries.reverse()
        case .inboxEndsEarly: page.next = nil
        case .inboxListsOthers:
            let other = try Address("bobb")
            page.entries += try await model.inbox(other, after: nil, limit: 10).entries
        default: break
        }
        return page
    }

    func sync(
        _ receiver: Address, cursors: [Address: Cursor], limit: PageLimit
    ) async throws(StoreError) -> SyncResult {
        if defect == .syncConfirmsBeforeItChecks {
            for (sender, cursor) in cursors {
                let mailbox = MailboxID(sender: sender, receiver: receiver)
                _ = try? await model.acknowledge(mailbox, through: cursor)
            }
        }
        let receiver = seen(receiver) ?? receiver
        guard defect == .syncLimitsEachMailbox || defect == .syncListsEmptyMailboxes else {
            return try await model.sync(receiver, cursors: cursors, limit: limit)
        }
        var result = try await model.sync(
            receiver, cursors: cursors, limit: PageLimit(messages: 1, bytes: 1))
        result.entries = []
        for entry in try await model.inbox(receiver, after: nil, limit: 10_000).entries {
            let mailbox = MailboxID(sender: entry.sender, receiver: receiver)
            let part = try await model.fetch(mailbox, cursor: .zero, limit: limit)
            if defect == .syncListsEmptyMailboxes || !part.messages.isEmpty {
                result.entries.append(SyncResult.Entry(sender: entry.sender, result: part))
            }
        }
        result.hasMore = result.entries.contains { $0.result.hasMore }
        return result
    }

    func compact(_ policy: RetentionPolicy?) async throws(StoreError) -> CompactionReport {
        switch defect {
        case .compactsNothing: return CompactionReport()
        case .compactsByPolicyOfAnother: return try await model.compact(.newest(4))
        case .compactsWhatWaits:
            model.modify { state in
                for (mailbox, content) in state.mailboxes {
                    state.mailboxes[mailbox]?.acknowledge(through: content.max)
                }
            }
        default: break
        }
        let report = try await model.compact(policy)
        model.modify { state in
            for (mailbox, content) in state.mailboxes where content.head.storedCount == 0 {
                if defect == .compactionForgetsTheSequence { state.mailboxes[mailbox] = nil }
                if defect == .compactionForgetsDevices {
                    state.mailboxes[mailbox] = ModelMailbox(startingAt: content.max)
                }
            }
        }
        return report
    }

    func watch(
        _ receivers: [Address]
    ) async throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        switch defect {
        case .watchIsDeaf: return try await model.watch([])
        case .watchNeverCatchesUp:
            return DefectiveWatch(
                events: try await model.watch(receivers), owner: model, hides: .caughtUp)
        case .watchHearsNothingLive:
            let copy = ModelStore(restoring: model.backup(), epoch: try await model.epoch)
            return DefectiveWatch(
                events: try await copy.watch(receivers), owner: copy, hides: nil)
        default: return try await model.watch(receivers)
        }
    }
}

/// The events of a store that lives as long as they are listened to, but for those that are hidden.
struct DefectiveWatch: AsyncSequence, Sendable {
    typealias Element = WatchEvent
    typealias Failure = StoreError

    let events: any AsyncSequence<WatchEvent, StoreError> & Sendable
    let owner: ModelStore
    let hides: WatchEvent?

    struct AsyncIterator: AsyncIteratorProtocol {
        var base: any AsyncIteratorProtocol<WatchEvent, StoreError>
        let watch: DefectiveWatch

        mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> WatchEvent? {
            while let event = try await base.next(isolation: actor) {
                if event != watch.hides { return event }
            }
            return nil
        }
    }

    func makeAsyncIterator() -> AsyncIterator {
        AsyncIterator(base: events.makeAsyncIterator(), watch: self)
    }
}
