internal import Logging
public import Mailbox
public import StoreAPI
internal import Synchronization

/// SendSrv: has the store make messages durable, answers, and hands them to PushSrv. Stateless:
/// what it knows is what waits.
///
/// **Natural batching, in order.** A message goes into the lane that its mailbox hashes to. Each
/// lane has one batch at the store; whatever comes meanwhile is the next one. No timer holds
/// anything back, and no mailbox's messages can overtake one another.
///
/// **Push.** A message is handed to PushSrv once it is durable, without waiting. So is a duplicate
/// whose sequence the store still knows, as a notice: its first answer was lost, and with it
/// perhaps the push. Devices drop what they hold already. A push brings the message as a fetch
/// would: sequence, time and epoch are what the store answered. Where it answered nothing, it is
/// asked what waits once it answers again.
public final class MessageSender: MessageSending, Sendable {
    /// How the store behind is asked for what its verbs do not tell.
    public struct Facts: Sendable {
        /// The largest body that it takes, in bytes.
        public var bodyBytesMaximum: @Sendable () async throws(StoreError) -> Int

        /// How the store is asked.
        public init(
            bodyBytesMaximum: @escaping @Sendable () async throws(StoreError) -> Int
        ) {
            self.bodyBytesMaximum = bodyBytesMaximum
        }

        /// Asks a store's server.
        public init(_ client: StoreClient) {
            self.init(
                bodyBytesMaximum: { () async throws(StoreError) in
                    try await client.info().messageBytesMaximum
                })
        }
    }

    private let storage: any MailboxStorage
    private let facts: Facts
    private let lanes: [SendLane]
    private let unanswered: UnansweredAppends

    /// - Parameters:
    ///   - storage: an engine in this process, or the client of a store's server.
    ///   - facts: how the store is asked for its limits.
    ///   - push: where durable messages are handed to.
    ///   - configuration: limits.
    ///   - activity: counts.
    public init(
        storage: any MailboxStorage, facts: Facts, push: any PushNotifying,
        configuration: SendConfiguration, activity: SendActivity
    ) {
        self.storage = storage
        self.facts = facts
        let bytes = max(1, configuration.waitingBytesMaximum / configuration.lanes)
        let unanswered = UnansweredAppends(
            storage: storage, push: push, delay: configuration.unansweredDelay)
        self.unanswered = unanswered
        lanes = (0..<configuration.lanes).map { _ in
            SendLane(
                storage: storage, push: push, unanswered: unanswered, bytesMaximum: bytes,
                configuration: configuration, activity: activity)
        }
    }

    /// Hands over a message, and returns at once: see ``MessageSending``.
    public func send(
        _ append: Append,
        whenDone: @escaping @Sendable (Result<AppendResult, StoreError>) -> Void
    ) {
        lanes[place(of: append.mailbox)].add(append, whenDone)
    }

    private func place(of mailbox: MailboxID) -> Int {
        Int(mailbox.mixedHash(seed: 0) % UInt64(lanes.count))
    }

    /// The last client sequence of a device that is stored in a mailbox.
    ///
    /// - Throws: as ``MessageSending`` says.
    public func sendState(
        _ mailbox: MailboxID, device: DeviceID
    ) async throws(StoreError) -> ClientSequence {
        try await storage.sendState(mailbox, device: device)
    }

    /// The largest body that the store takes, in bytes.
    ///
    /// - Throws: `unavailable`, `closed`.
    public var bodyBytesMaximum: Int {
        get async throws(StoreError) { try await facts.bodyBytesMaximum() }
    }

    /// Takes no more messages, and returns when those that wait are answered.
    public func drain() async {
        for lane in lanes { await lane.drain() }
        await unanswered.close()
    }
}

/// What SendSrv may hold, and what it pushes.
public struct SendConfiguration: Sendable {
    /// Batches that may be at the store at once, 1 … 64.
    public var lanes = 4
    /// Messages in one batch, from 1.
    public var batchMessagesMaximum = 4_096
    /// Body bytes in one batch of several messages.
    public var batchBytesMaximum = 1 << 20
    /// Bytes of messages that wait for the store; above it they get `overloaded`.
    public var waitingBytesMaximum = 64 << 20
    /// The largest body that is pushed; of a larger one devices get a notice, and fetch it.
    public var pushBodyBytesMaximum = 16 << 10
    /// How long a store that gave no answer to a batch is left alone before it is asked what waits.
    public var unansweredDelay = Duration.seconds(1)

    /// All defaults.
    public init() {}
}
