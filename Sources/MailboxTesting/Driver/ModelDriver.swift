internal import Mailbox

/// Gives a store and the model the same operations, and compares every answer.
///
/// Two things a store decides for itself, within bounds that the driver checks: where its floor is
/// (from where it was, at most what the policies allow), and which acknowledgements a crash took.
/// There the model follows the store.
public final class ModelDriver {
    let model: ModelStore
    let subject: Subject
    let universe: Universe
    var store: any MailboxStorage
    /// How far compaction may have gone under policies that were in force before.
    private var allowedFloors: [MailboxID: SequenceNumber] = [:]
    /// The watermarks that no crash can take back.
    private var durableAcknowledged: [MailboxID: SequenceNumber] = [:]
    private var epochs: Set<Epoch>

    /// - Throws: what the subject throws when it is asked for its epoch.
    public init(subject: Subject, universe: Universe) async throws {
        let epoch = try await subject.store.epoch
        self.subject = subject
        self.universe = universe
        store = subject.store
        model = ModelStore(epoch: epoch, configuration: subject.configuration)
        epochs = [epoch]
    }

    /// Runs one operation on both.
    ///
    /// - Throws: `BehaviourFailure` when the store answers other than the contract says.
    public func perform(_ operation: Operation) async throws {
        try await crashingWhenReadsFail { try await performOnce(operation) }
    }

    /// Compares all that is there, behind the last operation.
    ///
    /// - Throws: `BehaviourFailure` when the store answers other than the contract says.
    public func end() async throws {
        try await crashingWhenReadsFail { try await compareEverything() }
    }

    private func crashingWhenReadsFail(_ body: () async throws -> Void) async throws {
        do {
            try await body()
        } catch let error as StoreError where subject.readsMayFail && error.code == .failed {
            try await crash(unknown: [])
        }
    }

    private func performOnce(_ operation: Operation) async throws {
        switch operation {
        case .append(let plan): try await append([plan], as: .single)
        case .batch(let plans): try await append(plans, as: .each)
        case .atomic(let plans): try await append(plans, as: .atomic)
        case .sendState(let mailbox, let device):
            let actual = try await store.sendState(mailbox, device: device)
            try expectEqual(
                actual, try await model.sendState(mailbox, device: device), "sendState")
        case .fetch(let mailbox, let cursor, let limit):
            try await fetch(mailbox, resolve(cursor, of: mailbox), limit)
        case .read(let mailbox, let after, let through, let limit):
            let newest = Int(modelHead(mailbox).max)
            try await read(
                mailbox, SequenceNumber(newest * after / 1_000),
                through.map { SequenceNumber(newest * $0 / 1_000) }, limit)
        case .acknowledge(let mailbox, let cursor):
            try await acknowledge(mailbox, resolve(cursor, of: mailbox))
        case .head(let mailbox): try observe(mailbox, try await store.head(mailbox))
        case .inbox(let receiver, let after, let limit):
            try await inbox(receiver, after, limit)
        case .sync(let receiver, let cursors, let limit):
            try await sync(receiver, cursors, limit)
        case .compact(let policy): try await compact(policy)
        case .moveClock(let milliseconds):
            for mailbox in universe.mailboxes { allowedFloors[mailbox] = allowedFloor(mailbox) }
            subject.clock.advance(milliseconds)
        case .checkpoint: try await checkpoint()
        case .restart: try await restart()
        case .crash: try await crash(unknown: [])
        case .restore: try await restore()
        }
    }

    // MARK: Bounds

    func modelHead(_ mailbox: MailboxID) -> Head {
        model.inspect { $0.head(mailbox) }
    }

    private func floor(_ mailbox: MailboxID, under policy: RetentionPolicy) -> SequenceNumber {
        let now = subject.clock.now()
        return model.inspect { $0.mailboxes[mailbox]?.floor(under: policy, now: now) ?? 0 }
    }

    private func allowedFloor(_ mailbox: MailboxID) -> SequenceNumber {
        max(
            allowedFloors[mailbox] ?? 0,
            floor(mailbox, under: subject.configuration.retention))
    }

    /// Checks a head that the store told, and lets the model's floor follow.
    func observe(_ mailbox: MailboxID, _ head: Head) throws {
        let known = modelHead(mailbox)
        try expectEqual(head.max, known.max, "\(mailbox): the newest sequence")
        try expectEqual(head.acknowledged, known.acknowledged, "\(mailbox): acknowledged")
        try expect(head.floor >= known.floor, "\(mailbox): the floor sank from \(known.floor)")
        let allowed = max(known.floor, allowedFloor(mailbox))
        try expect(
            head.floor <= allowed,
            "\(mailbox): the floor is \(head.floor); the policies allow \(allowed)")
        model.modify { $0.mailboxes[mailbox]?.trim(through: head.floor) }
        durableAcknowledged[mailbox] = max(durableAcknowledged[mailbox] ?? 0, head.floor)
        try expectEqual(head, modelHead(mailbox), "\(mailbox): the head")
    }

    // MARK: What happens to a store

    private func compact(_ policy: RetentionPolicy?) async throws {
        let required: [MailboxID: SequenceNumber]
        if case .acknowledged(forMilliseconds: ..<0) = policy {
            required = [:]
        } else {
            let inForce = policy ?? subject.configuration.retention
            required = Dictionary(
                uniqueKeysWithValues: universe.mailboxes.map { ($0, floor($0, under: inForce)) })
        }
        for (mailbox, floor) in required {
            allowedFloors[mailbox] = max(allowedFloor(mailbox), floor)
        }
        let actual = await answer { () throws(StoreError) in try await self.store.compact(policy) }
        if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
        if try await hasPassed(actual, universe.mailboxes) { return }
        guard case .success(let report) = actual else {
            let negative = RetentionPolicy.acknowledged(forMilliseconds: -1)
            try expectRefusals(
                await answer { () throws(StoreError) in try await self.model.compact(negative) },
                actual, "compact")
            try expect(required.isEmpty, "a good policy was refused")
            return
        }
        var removed = 0
        for mailbox in universe.mailboxes {
            let before = modelHead(mailbox).floor
            let head = try await store.head(mailbox)
            try observe(mailbox, head)
            try expect(
                head.floor >= required[mailbox] ?? 0,
                "\(mailbox): compaction left the floor at \(head.floor)")
            removed += Int(head.floor - before)
        }
        try expect(report.messagesRemoved <= removed, "more removed than the floors show")
    }

    private func checkpoint() async throws {
        guard let checkpoint = subject.checkpoint else { return }
        do {
            try await checkpoint(store)
        } catch let error as StoreError {
            let actual = Result<Void, StoreError>.failure(error)
            if try await isUnknown(actual, { try await self.crash(unknown: []) }) { return }
            guard try await hasPassed(actual, universe.mailboxes) else { throw error }
        }
    }

    private func restart() async throws {
        guard let restart = subject.restart else { return }
        do {
            store = try await restart(store)
        } catch let error as StoreError
            where (subject.mayFail && error.code == .failed)
            || subject.passingCodes.contains(error.code)
        {
            // It is closed without its last checkpoint, as after a crash.
            return try await crash(unknown: [])
        }
        for mailbox in universe.mailboxes {
            durableAcknowledged[mailbox] = modelHead(mailbox).acknowledged
        }
        try expectEqual(try await store.epoch, try await model.epoch, "the epoch")
        try await compareEverything()
    }

    private func restore() async throws {
        guard let restore = subject.restore else { return }
        store = try await restore(store)
        let epoch = try await store.epoch
        try expect(epochs.insert(epoch).inserted, "a restored store has an epoch of its own")
        model.modify { $0.epoch = epoch }
        for mailbox in universe.mailboxes {
            durableAcknowledged[mailbox] = modelHead(mailbox).acknowledged
        }
        try await compareEverything()
    }

    /// Stops the store dead. Appends whose answer nobody heard are in it, up to a point, or not.
    func crash(unknown: [Append], isAtomic: Bool = false) async throws {
        guard let crash = subject.crash else { return }
        store = try await crash(store)
        try await settle(unknown, isAtomic: isAtomic)
        for mailbox in universe.mailboxes {
            let head = try await store.head(mailbox)
            let known = modelHead(mailbox)
            let durable = durableAcknowledged[mailbox] ?? 0
            try expect(
                head.acknowledged <= known.acknowledged,
                "\(mailbox): \(head.acknowledged) is acknowledged; only \(known.acknowledged) was")
            try expect(
                head.acknowledged >= durable,
                "\(mailbox): \(head.acknowledged) is acknowledged; \(durable) was durable")
            model.modify { state in
                state.mailboxes[mailbox]?.forgetAcknowledgements(above: head.acknowledged)
            }
            allowedFloors[mailbox] = min(allowedFloors[mailbox] ?? 0, head.acknowledged)
            durableAcknowledged[mailbox] = head.acknowledged
        }
        try await compareEverything()
    }

    /// Finds out which appends of a call without an answer were stored, and lets the model follow.
    private func settle(_ unknown: [Append], isAtomic: Bool) async throws {
        var stored: [MailboxID: Int] = [:]
        for mailbox in Set(unknown.map(\.mailbox)) {
            let newest = try await store.head(mailbox).max
            let known = modelHead(mailbox).max
            try expect(newest >= known, "\(mailbox): \(known) was answered, \(newest) is there")
            stored[mailbox] = Int(newest - known)
        }
        let isAnythingStored = stored.values.contains { $0 > 0 }
        for append in unknown where isAtomic ? isAnythingStored : stored[append.mailbox] != 0 {
            guard let result = try? await model.append(append), !result.isDuplicate else {
                continue
            }
            stored[append.mailbox, default: 0] -= 1
        }
        try expect(
            stored.values.allSatisfy { $0 == 0 },
            isAtomic ? "a part of an atomic batch is there" : "more is there than was sent")
    }
}
