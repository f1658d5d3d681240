import Mailbox
import MailboxTesting
import StoreAPI
import Synchronization

/// The services behind, in memory: a model of the store, sends in their order, pushes to the
/// instance that is attached.
final class TestServices: MessageSending, PushAttaching, Sendable {
    private struct State {
        var deliver: (@Sendable (Push) -> Void)?
        var presence: [PresenceChange] = []
        var registrations: [PushRegistration] = []
        var held: [@Sendable () -> Void]?
        var heldWaiters: [(Int, CheckedContinuation<Void, Never>)] = []
        var sent = 0
    }

    let store = ModelStore()
    private let state = Mutex(State())
    private let queue: AsyncStream<Job>.Continuation
    private let worker: Task<Void, Never>

    private struct Job: Sendable {
        let append: Append
        let whenDone: @Sendable (Result<AppendResult, StoreError>) -> Void
    }

    init() {
        let (jobs, queue) = AsyncStream.makeStream(of: Job.self)
        self.queue = queue
        let store = store
        worker = Task {
            for await job in jobs {
                do throws(StoreError) {
                    job.whenDone(.success(try await store.append(job.append)))
                } catch {
                    job.whenDone(.failure(error))
                }
            }
        }
    }

    deinit { queue.finish() }

    var presence: [PresenceChange] { state.withLock { $0.presence } }
    var registrations: [PushRegistration] { state.withLock { $0.registrations } }
    /// Messages that were handed over.
    var sentCount: Int { state.withLock { $0.sent } }

    /// From here on, no send is answered.
    func hold() { state.withLock { $0.held = [] } }

    /// Answers what was held.
    func release() {
        let held = state.withLock { state in
            defer { state.held = nil }
            return state.held ?? []
        }
        for answer in held { answer() }
    }

    /// Waits until so many sends are held.
    func untilHeld(_ count: Int) async {
        await withCheckedContinuation { continuation in
            let isThere = state.withLock { state in
                if (state.held?.count ?? 0) >= count { return true }
                state.heldWaiters.append((count, continuation))
                return false
            }
            if isThere { continuation.resume() }
        }
    }

    func push(_ push: Push) {
        state.withLock { $0.deliver }?(push)
    }

    // MARK: MessageSending

    func send(
        _ append: Append, whenDone: @escaping @Sendable (Result<AppendResult, StoreError>) -> Void
    ) {
        state.withLock { $0.sent += 1 }
        let epoch = store.inspect { $0.epoch }
        queue.yield(
            Job(append: append) { [self] outcome in
                finish { [self] in
                    whenDone(outcome)
                    guard case .success(let result) = outcome, !result.isDuplicate,
                        let sequence = result.sequence
                    else { return }
                    let message = Message(
                        sequence: sequence, timestampMilliseconds: 1, producer: append.producer,
                        body: append.body)
                    push(
                        Push(mailbox: append.mailbox, epoch: epoch, content: .message(message)))
                }
            })
    }

    private func finish(_ answer: @escaping @Sendable () -> Void) {
        let (isHeld, waiters) = state.withLock {
            state -> (Bool, [CheckedContinuation<Void, Never>]) in
            guard state.held != nil else { return (false, []) }
            state.held?.append(answer)
            let count = state.held?.count ?? 0
            let ready = state.heldWaiters.filter { $0.0 <= count }.map(\.1)
            state.heldWaiters.removeAll { $0.0 <= count }
            return (true, ready)
        }
        if !isHeld { answer() }
        for waiter in waiters { waiter.resume() }
    }

    func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await store.sendState(mailbox, device: device)
    }

    var bodyBytesMaximum: Int {
        get async throws(StoreError) { 256 << 10 }
    }

    // MARK: PushAttaching

    func attach(
        _ instance: String, deliver: @escaping @Sendable (Push) -> Void
    ) -> any PushAttachment {
        state.withLock { $0.deliver = deliver }
        return Attachment(services: self)
    }

    func register(_ registration: PushRegistration) async throws(StoreError) {
        state.withLock { $0.registrations.append(registration) }
    }

    func unregister(_ account: Address, device: DeviceID) async throws(StoreError) {
        state.withLock { state in
            state.registrations.removeAll { $0.account == account && $0.device == device }
        }
    }

    private struct Attachment: PushAttachment {
        let services: TestServices

        func report(_ change: PresenceChange) {
            services.state.withLock { $0.presence.append(change) }
        }

        func detach() { services.state.withLock { $0.deliver = nil } }
    }
}
