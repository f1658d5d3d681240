internal import GRPCCore
internal import GRPCNIOTransportHTTP2
public import Mailbox
internal import SwiftProtobuf
internal import Synchronization

extension StoreClient {
    /// Says when heads of these receivers move: first those with waiting messages, then `caughtUp`,
    /// then live.
    ///
    /// It survives the connection: when that is made again the watch begins anew, with what waits
    /// and another `caughtUp`, so that no move is missed. A restored store, too, is simply heard
    /// anew. It ends when its task is cancelled, and throws `closed` when the client is closed.
    ///
    /// - Throws: what a store throws; `unavailable`.
    public func watch(
        _ receivers: [Address]
    ) async throws(StoreError) -> any AsyncSequence<WatchEvent, StoreError> & Sendable {
        try await reach()
        let relay = WatchRelay()
        let isOpen = lifecycle.withLock { lifecycle in
            guard lifecycle.phase != .closed else { return false }
            lifecycle.watches[ObjectIdentifier(relay)] = relay
            return true
        }
        guard isOpen else { throw Self.closedError }
        let watch = RemoteWatch(RemoteWatchSession(client: self, relay: relay))
        let names = receivers.map(\.description)
        relay.begin(Task { [self] in await hear(names, relay) })
        let timer = Task { [configuration] in
            try await Task.sleep(for: configuration.callTimeout)
            relay.endUnlessBegun(
                StoreError(code: .unavailable, message: "the store did not answer in time"))
        }
        defer { timer.cancel() }
        try await relay.waitForBegin()
        return watch
    }

    /// Hears the server until the watch ends, on one connection after the other.
    private func hear(_ receivers: [String], _ relay: WatchRelay) async {
        var backoff = Backoff(configuration)
        while !Task.isCancelled {
            do {
                try await hearOnce(receivers, relay)
            } catch {
                let failure = Self.storeError(error)
                guard Self.isLost(error, failure) else { return relay.end(.failure(failure)) }
            }
            if relay.takeProgress() { backoff.reset() }
            try? await Task.sleep(for: backoff.next())
        }
    }

    private func hearOnce(_ receivers: [String], _ relay: WatchRelay) async throws {
        var options = CallOptions.defaults
        options.waitForReady = true
        options.maxResponseMessageBytes = configuration.answerBytesMaximum
        let request = Mailbox_Store_V1_WatchRequest.with { $0.receivers = receivers }
        try await service.watch(request, options: options) { response in
            for try await message in response.messages {
                let events = try message.decodedEvents()
                if events.isEmpty { continue }
                guard await relay.give(events) else { return }
            }
        }
    }
}

extension WatchRelay {
    /// Ends a watch that the server never answered.
    func endUnlessBegun(_ error: StoreError) {
        if !hasBegun { end(.failure(error)) }
    }
}

extension Wire.WatchResponse {
    /// What the answer says, in order.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package func decodedEvents() throws(StoreError) -> [WatchEvent] {
        var events: [WatchEvent] = []
        events.reserveCapacity(heads.count + 1)
        for entry in heads {
            let (mailbox, head) = try entry.decoded()
            events.append(.head(mailbox, head))
        }
        if caughtUp { events.append(.caughtUp) }
        return events
    }
}

/// A watch's stay in its client: over when the last one who holds it lets go.
final class RemoteWatchSession: Sendable {
    let relay: WatchRelay
    private let client: StoreClient

    init(client: StoreClient, relay: WatchRelay) {
        self.client = client
        self.relay = relay
    }

    deinit {
        client.lifecycle.withLock { $0.watches[ObjectIdentifier(relay)] = nil }
        relay.end(.success(()))
    }
}

/// A watch as a sequence: one consumer.
struct RemoteWatch: AsyncSequence, Sendable {
    private let session: RemoteWatchSession

    init(_ session: RemoteWatchSession) { self.session = session }

    func makeAsyncIterator() -> Iterator { Iterator(session: session) }

    struct Iterator: AsyncIteratorProtocol {
        let session: RemoteWatchSession
        private var ready: [WatchEvent] = []

        init(session: RemoteWatchSession) { self.session = session }

        mutating func next() async throws(StoreError) -> WatchEvent? {
            try await next(isolation: nil)
        }

        mutating func next(
            isolation actor: isolated (any Actor)?
        ) async throws(StoreError) -> WatchEvent? {
            while true {
                if Task.isCancelled { return nil }
                if let event = ready.popLast() { return event }
                guard let events = try await session.relay.take() else { return nil }
                ready = events.reversed()
            }
        }
    }
}
