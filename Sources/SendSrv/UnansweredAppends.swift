internal import Mailbox
internal import StoreAPI
internal import Synchronization

/// Mailboxes in which there may be a message that nobody has pushed: the store did not say what
/// became of it.
///
/// The device that sent it asks for the store's number when it is told so, and sends again only
/// what is missing. So nobody else would tell the receiver of a message that was stored after all.
/// The mailbox's head is looked at once the store answers again, and what waits there is announced.
///
/// Bounded: beyond the bound, and behind a store that had failed, PushSrv is told to look at all.
final class UnansweredAppends: Sendable {
    private struct State {
        /// In the order in which they came.
        var mailboxes: [MailboxID] = []
        var known: Set<MailboxID> = []
        /// There was no room for some.
        var isOverfull = false
        /// A write had failed: the store says what became of it when it was opened again.
        var hasFailed = false
        var isWorking = false
        var isClosed = false
        var work: Task<Void, Never>?

        var isEmpty: Bool { mailboxes.isEmpty && !isOverfull }

        mutating func add(_ mailbox: MailboxID, countMaximum: Int) {
            guard !known.contains(mailbox) else { return }
            guard mailboxes.count < countMaximum else { return isOverfull = true }
            mailboxes.append(mailbox)
            known.insert(mailbox)
        }
    }

    private let state = Mutex(State())
    private let storage: any MailboxStorage
    private let push: any PushNotifying
    private let countMaximum: Int
    private let delay: Duration

    /// - Parameters:
    ///   - countMaximum: mailboxes that may wait to be looked at.
    ///   - delay: between two looks at a store that does not answer, and how long one that answers
    ///     is given to finish what had reached it before.
    init(
        storage: any MailboxStorage, push: any PushNotifying, countMaximum: Int = 4_096,
        delay: Duration
    ) {
        self.storage = storage
        self.push = push
        self.countMaximum = countMaximum
        self.delay = delay
    }

    /// A batch was answered, or was not.
    func note(_ mailboxes: some Sequence<MailboxID>, _ outcomes: [Result<AppendResult, StoreError>])
    {
        var unknown: [MailboxID] = []
        var hasFailed = false
        var hasWorked = false
        for (mailbox, outcome) in zip(mailboxes, outcomes) {
            switch outcome {
            case .success: hasWorked = true
            case .failure(let error) where error.code == .unknown: unknown.append(mailbox)
            case .failure(let error): hasFailed = hasFailed || error.code == .failed
            }
        }
        let isOver = state.withLock { state in
            for mailbox in unknown { state.add(mailbox, countMaximum: countMaximum) }
            let isOver = hasWorked && state.hasFailed
            state.hasFailed = hasFailed || state.hasFailed && !hasWorked
            let begins = !state.isEmpty && !state.isWorking && !state.isClosed
            if begins {
                state.isWorking = true
                state.work = Task { await work() }
            }
            return isOver
        }
        if isOver { push.noteLoss() }
    }

    /// Looks no more: what is left is found by PushSrv.
    func close() async {
        let work = state.withLock { state in
            state.isClosed = true
            return state.work
        }
        work?.cancel()
        await work?.value
        if state.withLock({ !$0.isEmpty || $0.hasFailed }) { push.noteLoss() }
    }

    private func work() async {
        while true {
            try? await Task.sleep(for: delay)
            guard let first = state.withLock({ $0.isClosed ? nil : $0.mailboxes.first }) else {
                return
            }
            guard (try? await storage.head(first)) != nil else { continue }
            try? await Task.sleep(for: delay)
            guard let (mailboxes, isOverfull) = take() else { return }
            if isOverfull { push.noteLoss() }
            for mailbox in mailboxes { await look(mailbox) }
            let isOver = state.withLock { state in
                state.isWorking = !state.isEmpty
                return !state.isWorking
            }
            if isOver { return }
        }
    }

    private func take() -> (mailboxes: [MailboxID], isOverfull: Bool)? {
        state.withLock { state in
            guard !state.isClosed else { return nil }
            defer { (state.mailboxes, state.known, state.isOverfull) = ([], [], false) }
            return (state.mailboxes, state.isOverfull)
        }
    }

    /// Announces what waits in a mailbox, or looks again later.
    private func look(_ mailbox: MailboxID) async {
        do throws(StoreError) {
            let epoch = try await storage.epoch
            let head = try await storage.head(mailbox)
            guard head.waitingCount > 0 else { return }
            push.notify(Push(mailbox: mailbox, epoch: epoch, content: .notice(max: head.max)))
        } catch {
            state.withLock { $0.add(mailbox, countMaximum: countMaximum) }
        }
    }
}
