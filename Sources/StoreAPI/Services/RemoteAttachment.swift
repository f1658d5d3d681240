internal import Mailbox
internal import Synchronization

/// An instance's end of its attachment to every PushSrv behind a network: it knows all sessions
/// that are online, so that each connection begins with them; then it sends what changes.
///
/// What waits for a connection is bounded by the sessions there are: of several changes of one
/// session the last counts.
final class RemoteAttachment: PushAttachment {
    private struct Peer {
        /// Sessions that changed since this PushSrv was told, and whether they are online; nil
        /// while there is no connection.
        var changes: [UInt64: PresenceChange]?
        var writer: CheckedContinuation<Void, Never>?
    }

    private struct State {
        var online: [UInt64: PresenceChange] = [:]
        var peers: [Peer]
        var isDetached = false
    }

    /// The most changes in one request.
    private static let requestChanges = 1_000

    private let instance: String
    private let state: Mutex<State>
    let deliver: @Sendable (Push) -> Void

    init(instance: String, peers: Int, deliver: @escaping @Sendable (Push) -> Void) {
        self.instance = instance
        self.deliver = deliver
        state = Mutex(State(peers: [Peer](repeating: Peer(), count: peers)))
    }

    deinit { detach() }

    var isDetached: Bool { state.withLock { $0.isDetached } }

    func report(_ change: PresenceChange) {
        let writers = state.withLock { state in
            state.online[change.session] = change.isOnline ? change : nil
            var writers: [CheckedContinuation<Void, Never>] = []
            for place in state.peers.indices where state.peers[place].changes != nil {
                state.peers[place].changes?[change.session] = change
                if let writer = state.peers[place].writer { writers.append(writer) }
                state.peers[place].writer = nil
            }
            return writers
        }
        for writer in writers { writer.resume() }
    }

    func detach() {
        let writers = state.withLock { state in
            state.isDetached = true
            defer { for place in state.peers.indices { state.peers[place].writer = nil } }
            return state.peers.compactMap(\.writer)
        }
        for writer in writers { writer.resume() }
    }

    /// Tells one PushSrv who is online, then what changes, until the attachment ends.
    func write(
        _ peer: Int, _ write: (Wire.AttachRequest) async throws -> Void
    ) async throws {
        // From here on changes are noted for this connection: none falls between.
        var online = state.withLock { state in
            state.peers[peer].changes = [:]
            return state.online.values.map { Wire.PresenceChange($0) }[...]
        }
        var request = Wire.AttachRequest()
        request.instance = instance
        repeat {
            request.changes = Array(online.prefix(Self.requestChanges))
            online = online.dropFirst(Self.requestChanges)
            request.isComplete = online.isEmpty
            try await write(request)
            request = Wire.AttachRequest()
        } while !online.isEmpty
        while let changes = await nextChanges(peer) {
            request.changes = changes.map { Wire.PresenceChange($0) }
            try await write(request)
        }
    }

    func connectionLost(_ peer: Int) {
        state.withLock { $0.peers[peer].changes = nil }
    }

    private func nextChanges(_ peer: Int) async -> [PresenceChange]? {
        while !Task.isCancelled {
            let (changes, isDetached) = state.withLock { state in
                var taken: [PresenceChange] = []
                while taken.count < Self.requestChanges,
                    let (_, change) = state.peers[peer].changes?.popFirst()
                {
                    taken.append(change)
                }
                return (taken, state.isDetached)
            }
            if !changes.isEmpty { return changes }
            if isDetached { return nil }
            await wait(peer)
        }
        return nil
    }

    private func wait(_ peer: Int) async {
        await withTaskCancellationHandler {
            await withCheckedContinuation { continuation in
                let isReady = state.withLock { state in
                    let isWorthless = state.peers[peer].changes?.isEmpty != true
                    if Task.isCancelled || state.isDetached || isWorthless { return true }
                    state.peers[peer].writer = continuation
                    return false
                }
                if isReady { continuation.resume() }
            }
        } onCancel: {
            state.withLock { state in
                defer { state.peers[peer].writer = nil }
                return state.peers[peer].writer
            }?.resume()
        }
    }
}
