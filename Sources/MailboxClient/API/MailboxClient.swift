import ClientWire
import Foundation
import GRDB
public import Logging
public import Mailbox
import SwiftProtobuf
import Synchronization

/// A device's messages: sent once they are saved, received once they are stored, whatever the
/// network does.
///
/// `send` returns when the message is safe in the local database; the client sends it when it can,
/// as often as it must, and the server stores it once. `messages` brings what came, until the app
/// confirms it. docs/CLIENT.md says what is guaranteed, and what breaks it.
public actor MailboxClient {
    /// Brings a token for the account; `isRenewal` when the last one was refused or expires soon.
    public typealias TokenSource = @Sendable (_ isRenewal: Bool) async throws -> String

    /// Why the client does what it does: at most `eventsMaximum` wait; the oldest are dropped. For
    /// one reader.
    public nonisolated let events: AsyncStream<ClientEvent>

    nonisolated let executor = ClientExecutor()
    /// The actor's own queue: database work blocks none of the shared threads.
    public nonisolated var unownedExecutor: UnownedSerialExecutor {
        executor.asUnownedSerialExecutor()
    }

    private let core: ClientCore
    private let transport: any ClientTransport
    private let tokens: TokenSource
    private let clock: any ClientClock
    private let logger: Logger
    private let announce: AsyncStream<ClientEvent>.Continuation
    private nonisolated let saves = Mutex(SaveQueue())
    private nonisolated let incoming = Mutex(IncomingQueue())
    private nonisolated let sharedState = Mutex(ConnectionState.stopped)
    private var connection: (number: UInt64, any ClientConnection)?
    private var handles: [Int64: WeakMessage] = [:]
    private var waiters: [Int64: CheckedContinuation<Void, Never>] = [:]
    private var nextWaiter: Int64 = 0
    private var timer: (deadline: Int64, task: Task<Void, Never>)?
    private var isClosed = false

    /// Opens a client on the database at `path`, and makes it when there is none.
    ///
    /// - Parameters:
    ///   - path: the database's file; SQLite puts others beside it, and the client one.
    ///   - transport: how the server is reached.
    ///   - configuration: how the client works.
    ///   - clock: where its time comes from.
    ///   - logger: hears about connections; never about bodies or tokens.
    ///   - tokens: brings tokens. An error is taken as "try again later".
    /// - Throws: `database`, `databaseTooNew`, `locked`.
    public init(
        path: String, transport: any ClientTransport,
        configuration: ClientConfiguration = ClientConfiguration(),
        clock: any ClientClock = SystemClientClock(),
        logger: Logger = Logger(label: "mailbox-client"), tokens: @escaping TokenSource
    ) throws(ClientError) {
        var random = ClientRandom(seed: configuration.seed)
        let database = try ClientDatabase(path: path) { random.name() }
        core = try ClientCore(database: database, configuration: configuration)
        self.transport = transport
        self.tokens = tokens
        self.clock = clock
        self.logger = logger
        (events, announce) = AsyncStream.makeStream(
            bufferingPolicy: .bufferingNewest(max(1, configuration.eventsMaximum)))
        if database.wasCopied { announce.yield(.identityRenewed(.copied)) }
    }

    // MARK: Connecting

    /// Whether the client is connected.
    public nonisolated var connectionState: ConnectionState { sharedState.withLock { $0 } }

    /// Connects, and stays connected. Without it the client works offline.
    public func start() { handle(.start) }

    /// The network changed, or the app came to the foreground: connects at once instead of waiting,
    /// and asks an open connection whether it still lives.
    public func networkPathChanged() { handle(.networkChanged) }

    /// Says goodbye, and closes the connection and the database. What is in the outbox stays there.
    ///
    /// - Throws: `database` when the file could not be closed in order.
    public func shutdown() throws(ClientError) {
        guard !isClosed else { return }
        flush()
        handle(.stop)
        isClosed = true
        timer?.task.cancel()
        timer = nil
        for waiter in waiters.values { waiter.resume() }
        waiters = [:]
        for handle in handles.values { handle.message?.release() }
        handles = [:]
        flush()
        announce.finish()
        do {
            try core.database.close()
        } catch {
            throw ClientDatabase.error(error)
        }
    }

    // MARK: Sending

    /// Saves a message, and returns when it is safe in the local database.
    ///
    /// Calls that wait at the same time share one sync. Messages to one receiver are sent in the
    /// order in which they were saved.
    ///
    /// - Parameters:
    ///   - body: its bytes; may be empty.
    ///   - peer: who receives it.
    /// - Returns: a handle whose end can be awaited, or ignored.
    /// - Throws: `messageTooLarge`, `outboxFull`, `sequenceExhausted`, `database`, `closed`; then
    ///   nothing was saved.
    public nonisolated func send(
        _ body: [UInt8], to peer: Address
    ) async throws(ClientError) -> SentMessage {
        let outcome = await withCheckedContinuation { continuation in
            let save = SaveQueue.Save(peer: peer, body: Data(body), continuation: continuation)
            let isFirst = saves.withLock { $0.add(save) }
            if isFirst { executor.run { self.assumeIsolated { $0.flush() } } }
        }
        return try outcome.get()
    }

    /// Saves what waits to be saved, together.
    private func flush() {
        while true {
            let batch = saves.withLock { $0.take(512) }
            guard !batch.isEmpty else { return }
            guard !isClosed else {
                for save in batch { save.continuation.resume(returning: .failure(.closed())) }
                continue
            }
            if !save(batch) {
                // One of them was refused: each for itself.
                for one in batch where !save([one]) {
                    one.continuation.resume(returning: .failure(lastRefusal))
                }
            }
        }
    }

    private var lastRefusal = ClientError.closed()

    /// - Returns: false when nothing was saved; `lastRefusal` says why.
    private func save(_ batch: [SaveQueue.Save]) -> Bool {
        do {
            let (ids, outputs) = try core.save(
                batch.map { ($0.peer, $0.body) }, now: clock.elapsedMilliseconds(),
                wall: clock.wallMilliseconds())
            for (id, save) in zip(ids, batch) {
                let message = SentMessage(id: id)
                handles[id] = WeakMessage(message: message)
                save.continuation.resume(returning: .success(message))
            }
            perform(outputs)
            return true
        } catch {
            lastRefusal = error
            if error.code == .database { handle(.tick) }
            return false
        }
    }

    /// What became of a message that was sent, now or in an earlier run of the program.
    ///
    /// - Returns: nil when there is no such outgoing message.
    /// - Throws: `database`, `closed`.
    public func outgoingState(of id: Int64) throws(ClientError) -> OutgoingState? {
        guard case .outgoing(let state) = try read({ try HistoryTable.message(id, $0) })?.direction
        else { return nil }
        return state
    }

    /// Messages that were refused for good, newest first. They block nothing.
    ///
    /// - Parameter limit: at most so many, 1 … 1 000.
    /// - Throws: `database`, `closed`.
    public func refusedMessages(limit: Int = 100) throws(ClientError) -> [StoredMessage] {
        try read { try HistoryTable.refused(limit: min(max(1, limit), 1_000), $0) }
    }

    /// Forgets a message that was refused for good.
    ///
    /// - Returns: false when there is no such message.
    /// - Throws: `database`, `closed`.
    @discardableResult
    public func discard(_ id: Int64) throws(ClientError) -> Bool {
        try write { try HistoryTable.discard(id, $0) }
    }

    // MARK: Receiving

    /// What came and is not confirmed: each message once, in order per sender, as it arrives. A new
    /// iteration begins with the oldest that is not confirmed.
    public nonisolated var messages: IncomingMessages { IncomingMessages(client: self) }

    /// The app has this message, durably: neither it nor an earlier one of its sender is delivered
    /// again.
    ///
    /// - Throws: `database`, `closed`; then it is delivered again by the next iteration.
    public func confirm(_ message: StoredMessage) throws(ClientError) {
        try write { try HistoryTable.confirm(peer: message.peer, through: message.id, $0) }
    }

    /// A page of what is not confirmed; waits until there is some.
    func unconfirmed(after: Int64) async -> [StoredMessage]? {
        while !isClosed, !Task.isCancelled {
            guard
                let page = try? read({ try HistoryTable.unconfirmed(after: after, limit: 64, $0) })
            else { return nil }
            if !page.isEmpty { return page }
            nextWaiter += 1
            let number = nextWaiter
            await withTaskCancellationHandler {
                await withCheckedContinuation { continuation in
                    if Task.isCancelled || isClosed {
                        continuation.resume()
                    } else {
                        waiters[number] = continuation
                    }
                }
            } onCancel: {
                Task { await self.wake(number) }
            }
        }
        return nil
    }

    private func wake(_ number: Int64) { waiters.removeValue(forKey: number)?.resume() }

    // MARK: Looking

    /// Conversations, those with the newest messages first.
    ///
    /// - Parameters:
    ///   - limit: at most so many, 1 … 1 000.
    ///   - offset: how many to pass over, from 0.
    /// - Throws: `database`, `closed`.
    public func conversations(
        limit: Int = 100, offset: Int = 0
    ) throws(ClientError) -> [Conversation] {
        try read {
            try HistoryTable.conversations(
                limit: min(max(1, limit), 1_000), offset: max(0, offset), $0)
        }
    }

    /// A page of a conversation, both directions, newest first.
    ///
    /// - Parameters:
    ///   - peer: whose conversation.
    ///   - before: only messages with a smaller number in the local database; nil from the newest.
    ///   - limit: at most so many, 1 … 1 000.
    /// - Throws: `database`, `closed`.
    public func history(
        with peer: Address, before: Int64? = nil, limit: Int = 50
    ) throws(ClientError) -> [StoredMessage] {
        try read {
            try HistoryTable.page(
                peer: peer.description, before: before ?? .max, limit: min(max(1, limit), 1_000),
                $0)
        }
    }

    /// What the client holds and did.
    ///
    /// - Throws: `database`, `closed`.
    public func statistics() throws(ClientError) -> ClientStatistics {
        try read {
            try HistoryTable.statistics(waiting: core.waitingCount, core.activity, $0)
        }
    }

    private func read<Value>(
        _ body: (Database) throws -> Value
    ) throws(ClientError) -> Value {
        guard !isClosed else { throw .closed() }
        do {
            return try core.database.read(body)
        } catch {
            throw ClientDatabase.error(error)
        }
    }

    private func write<Value>(
        _ body: (Database) throws -> Value
    ) throws(ClientError) -> Value {
        guard !isClosed else { throw .closed() }
        do {
            return try core.database.write(body)
        } catch {
            throw ClientDatabase.error(error)
        }
    }

    // MARK: What happens

    private func handle(_ input: ClientCore.Input) {
        guard !isClosed else { return }
        perform(
            core.handle(
                input, now: clock.elapsedMilliseconds(), wall: clock.wallMilliseconds()))
    }

    private func perform(_ outputs: [ClientCore.Output]) {
        var frames: [[UInt8]] = []
        func leave() {
            guard !frames.isEmpty else { return }
            connection?.1.send(frames)
            frames = []
        }
        for output in outputs {
            switch output {
            case .send(let number, let frame):
                guard connection?.number == number else { continue }
                if let bytes: [UInt8] = try? frame.serializedBytes() { frames.append(bytes) }
            case .requestToken(let isRenewal): requestToken(isRenewal)
            case .open(let number): open(number)
            case .close(let number):
                leave()
                guard connection?.number == number else { continue }
                connection?.1.close()
                connection = nil
            case .outgoing(let id, let state):
                handles.removeValue(forKey: id)?.message?.settle(state)
            case .event(let event): tell(event)
            }
        }
        leave()
        sharedState.withLock { $0 = core.session.state }
        schedule()
    }

    private func tell(_ event: ClientEvent) {
        switch event {
        case .received:
            for waiter in waiters.values { waiter.resume() }
            waiters = [:]
        case .connection(let state): logger.info("connection", metadata: ["state": "\(state)"])
        case .databaseFailed, .protocolViolation, .wrongAccount: logger.error("\(event)")
        default: logger.notice("\(event)")
        }
        announce.yield(event)
    }

    private func requestToken(_ isRenewal: Bool) {
        let tokens = tokens
        let logger = logger
        Task {
            var token: String?
            do {
                token = try await tokens(isRenewal)
            } catch {
                logger.warning("no token came", metadata: ["error": "\(type(of: error))"])
            }
            self.tokenCame(token)
        }
    }

    private func tokenCame(_ token: String?) { handle(.token(token)) }

    private func open(_ number: UInt64) {
        connection?.1.close()
        let opened = transport.connect { [weak self] event in
            guard let self else { return }
            let isFirst = self.incoming.withLock { $0.add(number, event) }
            if isFirst { executor.run { self.assumeIsolated { $0.takeIncoming() } } }
        }
        connection = (number, opened)
    }

    /// Takes all that came meanwhile, in one transaction where it can.
    private func takeIncoming() {
        while let (number, event) = incoming.withLock({ $0.take() }) {
            switch event {
            case .opened: handle(.opened(number))
            case .closed(let reason):
                logger.info("closed", metadata: ["reason": "\(reason)"])
                handle(.closed(number))
            case .messages(let messages):
                var frames: [ServerFrame] = []
                for message in messages {
                    if let frame = try? ServerFrame(serializedBytes: message) {
                        frames.append(frame)
                    }
                }
                handle(.frames(number, frames))
            }
        }
    }

    private func schedule() {
        guard let deadline = core.deadline, !isClosed else { return }
        if let timer, timer.deadline <= deadline { return }
        timer?.task.cancel()
        let wait = max(1, deadline - clock.elapsedMilliseconds())
        let clock = clock
        let task = Task {
            guard (try? await clock.wait(milliseconds: wait)) != nil else { return }
            self.tick(deadline)
        }
        timer = (deadline, task)
    }

    private func tick(_ deadline: Int64) {
        guard timer?.deadline == deadline else { return }
        timer = nil
        handle(.tick)
    }
}

/// A handle that the app may have let go of.
private struct WeakMessage {
    weak var message: SentMessage?
}
