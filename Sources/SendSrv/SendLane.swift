internal import Mailbox
internal import StoreAPI
internal import Synchronization

/// Messages of some mailboxes on their way to the store: one batch at a time, and what waits behind
/// it.
final class SendLane: Sendable {
    typealias Outcome = Result<AppendResult, StoreError>
    typealias WhenDone = @Sendable (Outcome) -> Void

    private struct Item: Sendable {
        let append: Append
        let whenDone: WhenDone
    }

    private struct State {
        var waiting: [Item] = []
        /// Bytes of messages that are not answered.
        var bytes = 0
        var isWorking = false
        var isClosed = false
        var drained: [CheckedContinuation<Void, Never>] = []
    }

    private let state = Mutex(State())
    private let storage: any MailboxStorage
    private let push: any PushNotifying
    private let unanswered: UnansweredAppends
    private let bytesMaximum: Int
    private let configuration: SendConfiguration
    private let activity: SendActivity

    init(
        storage: any MailboxStorage, push: any PushNotifying, unanswered: UnansweredAppends,
        bytesMaximum: Int, configuration: SendConfiguration, activity: SendActivity
    ) {
        self.storage = storage
        self.push = push
        self.unanswered = unanswered
        self.bytesMaximum = bytesMaximum
        self.configuration = configuration
        self.activity = activity
    }

    /// Puts a message at the end of the lane, or refuses it.
    func add(_ append: Append, _ whenDone: @escaping WhenDone) {
        let (refusal, begins) = state.withLock { state -> (StoreError?, Bool) in
            if state.isClosed { return (Self.closed, false) }
            let bytes = append.memoryBytes
            guard state.bytes == 0 || state.bytes + bytes <= bytesMaximum else {
                return (Self.overloaded, false)
            }
            state.bytes += bytes
            state.waiting.append(Item(append: append, whenDone: whenDone))
            defer { state.isWorking = true }
            return (nil, !state.isWorking)
        }
        if let refusal {
            activity.refused(refusal.code)
            whenDone(.failure(refusal))
        }
        if begins { Task { await work() } }
    }

    /// Takes no more messages, and returns when those that wait are answered.
    func drain() async {
        await withCheckedContinuation { continuation in
            let isOver = state.withLock { state in
                state.isClosed = true
                if state.isWorking { state.drained.append(continuation) }
                return !state.isWorking
            }
            if isOver { continuation.resume() }
        }
    }

    /// Brings batches to the store until nothing waits.
    private func work() async {
        while let batch = takeBatch() {
            let started = ContinuousClock.now
            let outcomes = await store(batch)
            activity.sent(outcomes, took: .now - started)
            state.withLock { state in
                for item in batch { state.bytes -= item.append.memoryBytes }
            }
            for (item, outcome) in zip(batch, outcomes) { item.whenDone(outcome) }
            handOver(batch, outcomes)
            unanswered.note(batch.lazy.map(\.append.mailbox), outcomes)
        }
    }

    private func takeBatch() -> [Item]? {
        let (batch, drained) = state.withLock {
            state -> ([Item]?, [CheckedContinuation<Void, Never>]) in
            guard !state.waiting.isEmpty else {
                state.isWorking = false
                defer { state.drained = [] }
                return (nil, state.drained)
            }
            var count = 0
            var bytes = 0
            while count < min(state.waiting.count, configuration.batchMessagesMaximum) {
                bytes += state.waiting[count].append.memoryBytes
                if count > 0, bytes > configuration.batchBytesMaximum { break }
                count += 1
            }
            defer { state.waiting.removeFirst(count) }
            return (Array(state.waiting.prefix(count)), [])
        }
        for continuation in drained { continuation.resume() }
        return batch
    }

    private func store(_ batch: [Item]) async -> [Outcome] {
        do throws(StoreError) {
            return try await storage.append(batch: batch.map(\.append))
        } catch {
            return [Outcome](repeating: .failure(error), count: batch.count)
        }
    }

    /// Hands what is durable to PushSrv, which never waits.
    private func handOver(_ batch: [Item], _ outcomes: [Outcome]) {
        for (item, outcome) in zip(batch, outcomes) {
            guard case .success(let result) = outcome, let sequence = result.sequence,
                let epoch = result.epoch
            else { continue }
            push.notify(
                Push(
                    mailbox: item.append.mailbox, epoch: epoch,
                    content: content(item.append, sequence, result.timestampMilliseconds)))
        }
    }

    /// The message itself when it is small and all of it is known; a duplicate's time is not, and
    /// no other than the store's may reach a device.
    private func content(
        _ append: Append, _ sequence: SequenceNumber, _ timestamp: Int64?
    ) -> Push.Content {
        guard let timestamp, append.body.count <= configuration.pushBodyBytesMaximum else {
            return .notice(max: sequence)
        }
        return .message(
            Message(
                sequence: sequence, timestampMilliseconds: timestamp, producer: append.producer,
                body: append.body))
    }

    private static let closed = StoreError(
        code: .closed, message: "this SendSrv is shutting down; send again to another one")
    private static let overloaded = StoreError(
        code: .overloaded,
        message: "too many messages wait for the store; send again in a moment")
}

extension Append {
    /// What the message takes in memory, about.
    fileprivate var memoryBytes: Int { 256 + body.count }
}
