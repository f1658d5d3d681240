import Mailbox
import MailboxClient
import Synchronization

/// A chat with one peer over the client library: what is typed is sent, what comes is shown and
/// confirmed, and what became of each message is told.
final class Chat: Sendable {
    private struct State {
        var transcript: ChatTranscript
        var status = "offline"
        var input = ""
        var failure: Failure?
    }

    /// How many messages of earlier are shown at the beginning.
    private static let historyMaximum = 20

    private let client: MailboxClient
    private let peer: Address
    private let sendsReceipts: Bool
    private let view: @Sendable (Shown) -> Void
    private let state: Mutex<State>
    private let receipts = AsyncStream.makeStream(
        of: UInt32.self, bufferingPolicy: .bufferingNewest(1))

    /// What a view is told: new lines, and everything as it stands.
    struct Shown {
        let lines: [String]
        let transcript: ChatTranscript
        let status: String
        let input: String
    }

    init(
        client: MailboxClient, peer: Address, sendsReceipts: Bool,
        view: @escaping @Sendable (Shown) -> Void
    ) {
        self.client = client
        self.peer = peer
        self.sendsReceipts = sendsReceipts
        self.view = view
        state = Mutex(State(transcript: ChatTranscript(peer: peer.description)))
    }

    /// Changes what is shown, and shows it.
    private func change(_ body: (inout State) -> [String]) {
        state.withLock { state in
            let lines = body(&state)
            // Under the lock: views see changes in their order.
            view(
                Shown(
                    lines: lines, transcript: state.transcript, status: state.status,
                    input: state.input))
        }
    }

    /// Shows what was typed so far.
    func typing(_ text: String) {
        change { state in
            state.input = text
            return []
        }
    }

    /// The connection changed, or something else happened that people want to know.
    func tell(_ event: ClientEvent) {
        switch event {
        case .connection(let connection):
            change { state in
                state.status = "\(connection)"
                return ["* \(connection)"]
            }
        case .received, .caughtUp, .refused: break
        default: change { $0.transcript.note(Self.words(event)) }
        }
    }

    private static func words(_ event: ClientEvent) -> String {
        switch event {
        case .identityRenewed: "this device goes on under a new name"
        case .epochChanged: "the server was restored from a backup; everything is compared"
        case .sentAgain(let peer, let count):
            "the server had forgotten \(count) messages to \(peer); they are sent again"
        case .receivedElsewhere(let peer, let after, let through):
            "another device has the messages \(after + 1) to \(through) of \(peer)"
        case .trimmed(let peer, let floor):
            "the server no longer has the messages of \(peer) through \(floor)"
        case .sequenceExhausted(let peer): "no more messages can go to or come from \(peer)"
        case .tokenRefused: "the server does not accept the token; its file is read again"
        case .databaseFailed: "the database failed; trying again"
        default: "\(event)"
        }
    }

    /// Begins: what was said before, then what comes; until the client is shut down.
    func run() async throws {
        let earlier = try await client.history(with: peer, limit: Self.historyMaximum).reversed()
        var waiting: [Int64] = []
        change { state in
            for message in earlier where message.direction != .incoming(isConfirmed: false) {
                state.transcript.recall(message)
                if case .outgoing(.saved) = message.direction { waiting.append(message.id) }
            }
            return []
        }
        try await withThrowingTaskGroup(of: Void.self) { [waiting] group in
            group.addTask { try await self.receive() }
            group.addTask { await self.sendReceipts() }
            for id in waiting { group.addTask { await self.follow(id) } }
            try await group.waitForAll()
        }
    }

    /// Saves a line, and follows what becomes of it.
    func say(_ text: String) async {
        do {
            let message = try await client.send(Array(text.utf8), to: peer)
            change { $0.transcript.send(message.id, Text.body(Array(text.utf8)[...])) }
            Task {
                let outcome = await message.settled()
                self.change { $0.transcript.settle(message.id, outcome) }
            }
        } catch {
            change { $0.transcript.note("not saved: \(error.message)") }
        }
    }

    private func receive() async throws {
        defer { receipts.continuation.finish() }
        for await message in client.messages where message.peer == peer.description {
            change { $0.transcript.receive(message) }
            try await client.confirm(message)
            if sendsReceipts, ChatTranscript.receiptSequence(message.body) == nil,
                let sequence = message.sequence
            {
                receipts.continuation.yield(sequence)
            }
        }
    }

    /// One receipt stands for all before it: while one is being saved, only the newest waits.
    private func sendReceipts() async {
        for await sequence in receipts.stream {
            _ = try? await client.send(ChatTranscript.receipt(through: sequence), to: peer)
        }
    }

    /// Follows a message of an earlier run, which has no handle any more.
    private func follow(_ id: Int64) async {
        while !Task.isCancelled, let outcome = try? await client.outgoingState(of: id) {
            guard outcome == .saved else {
                return change { $0.transcript.settle(id, outcome) }
            }
            try? await Task.sleep(for: .milliseconds(200))
        }
    }
}
