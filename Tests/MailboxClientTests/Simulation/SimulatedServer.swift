import ClientWire
import Foundation
import Mailbox
import MailboxTesting
import SwiftProtobuf

typealias ClientFrame = Mailbox_Client_V1_ClientFrame
typealias ServerFrame = Mailbox_Client_V1_ServerFrame

/// A server of devices over the model store: it answers frames at once, and says what it pushes.
///
/// It promises what docs/PROTOCOL.md does: a new connection of a device has ended the older one
/// before it is welcome.
struct SimulatedServer {
    struct Connection {
        let account: String
        var device = ""
        var isWelcome = false
        var isReading = true
    }

    var store: ModelStore
    var clock: ManualClock
    var bodyBytesMaximum = 1_000
    var connections: [UInt64: Connection] = [:]
    var isDown = false
    private var nextSession: UInt64 = 1
    /// Every so many messages are sent twice on their way to the store: the first answer is lost.
    private static let lostAnswersPeriod = 23
    private var sendCount = 0

    init(clock: ManualClock) {
        self.clock = clock
        store = ModelStore(epoch: Epoch(rawValue: 1)!, configuration: Self.configuration(clock))
    }

    private static func configuration(_ clock: ManualClock) -> ModelStore.Configuration {
        var configuration = ModelStore.Configuration(clock: clock)
        configuration.pageMessagesMaximum = 7
        return configuration
    }

    /// What leaves the server: a frame for a connection.
    typealias Sent = (connection: UInt64, frame: ServerFrame)

    /// Takes a frame.
    ///
    /// - Returns: the answer first, then what is pushed; and the connections that ended.
    mutating func take(_ frame: ClientFrame, from id: UInt64) -> (sent: [Sent], ended: [UInt64]) {
        guard let connection = connections[id], connection.isReading, !isDown else {
            return ([], [])
        }
        var answer = ServerFrame()
        answer.request = frame.request
        var sent: [Sent] = []
        var ended: [UInt64] = []
        if case .hello(let hello) = frame.content {
            for (other, old) in connections.sorted(by: { $0.key < $1.key })
            where other != id && old.account == connection.account && old.device == hello.device {
                connections[other]?.isReading = false
                connections[other]?.isWelcome = false
                sent.append((other, .with { $0.goodbye = .with { $0.reason = .replaced } }))
                ended.append(other)
            }
            connections[id]?.device = hello.device
            connections[id]?.isWelcome = true
            answer.welcome = welcome(connection.account)
            return ([(id, answer)] + sent, ended)
        }
        guard connection.isWelcome else { return ([], []) }
        do {
            switch frame.content {
            case .send(let send):
                let pushes = try self.send(send, connection, &answer)
                return ([(id, answer)] + pushes, [])
            case .getSendStates(let states): try answer.sendStates = sendStates(states, connection)
            case .fetch(let fetch):
                let mailbox = try MailboxID(sender: fetch.sender, receiver: connection.account)
                let result = try verb { state throws(StoreError) in
                    try state.fetch(
                        mailbox, cursor: Self.cursor(fetch.cursor), limit: PageLimit(messages: 7))
                }
                answer.messages = Self.messages(fetch.sender, result)
            case .sync(let sync): answer.inbox = try inbox(sync, connection)
            case .acknowledge(let acknowledge):
                let mailbox = try MailboxID(
                    sender: acknowledge.sender, receiver: connection.account)
                let head = try verb { state throws(StoreError) in
                    try state.acknowledge(mailbox, through: Self.cursor(acknowledge.cursor))
                }
                answer.acknowledged = .with {
                    $0.sender = acknowledge.sender
                    $0.head = Self.head(head)
                }
            case .ping(let ping): answer.pong = .with { $0.nonce = ping.nonce }
            case .refreshToken: answer.welcome = welcome(connection.account)
            case .goodbye:
                connections[id] = nil
                return ([], [])
            default: return ([], [])
            }
        } catch {
            answer.refused = Self.refusal(error)
        }
        return ([(id, answer)], [])
    }

    private mutating func welcome(_ account: String) -> Mailbox_Client_V1_Welcome {
        nextSession += 1
        return .with {
            $0.account = account
            $0.session = nextSession
            $0.epoch = store.inspect { $0.epoch.rawValue }
            $0.heartbeatMilliseconds = 10_000
            $0.frameBytesMaximum = 100_000
            // Older than what is enforced, at times: so messages can be refused for good.
            $0.bodyBytesMaximum = 1_000
            $0.requestsInFlightMaximum = 24
        }
    }

    private func verb<Value: Sendable>(
        _ body: (inout ModelState) throws(StoreError) -> Value
    ) throws(StoreError) -> Value {
        var result: Result<Value, StoreError>?
        store.modify { state in
            do throws(StoreError) {
                result = .success(try body(&state))
            } catch {
                result = .failure(error)
            }
        }
        guard let result else { throw .closed() }
        return try result.get()
    }

    private mutating func send(
        _ send: Mailbox_Client_V1_Send, _ connection: Connection, _ answer: inout ServerFrame
    ) throws(StoreError) -> [Sent] {
        guard send.body.count <= bodyBytesMaximum else {
            throw .messageTooLarge(bytes: send.body.count, limit: bodyBytesMaximum)
        }
        let mailbox = try MailboxID(sender: connection.account, receiver: send.receiver)
        let producer = Producer(
            device: try DeviceID(connection.device), clientSequence: send.clientSequence)
        let now = clock.now()
        let append = Append(mailbox, producer: producer, body: Array(send.body))
        sendCount += 1
        let wasResent = sendCount.isMultiple(of: Self.lostAnswersPeriod)
        let result = try verb { state throws(StoreError) in
            if wasResent { _ = try state.append(append, now: now) }
            return try state.append(append, now: now)
        }
        let epoch = store.inspect { $0.epoch.rawValue }
        answer.accepted = .with {
            $0.sequence = result.sequence ?? 0
            $0.isDuplicate = result.isDuplicate
            $0.wasResent = wasResent
            $0.epoch = epoch
        }
        guard !result.isDuplicate, let sequence = result.sequence else { return [] }
        let pushed = ServerFrame.with {
            $0.pushed = .with {
                $0.sender = connection.account
                $0.epoch = epoch
                $0.message = .with {
                    $0.sequence = sequence
                    $0.timestampMilliseconds = now
                    $0.device = connection.device
                    $0.clientSequence = send.clientSequence
                    $0.body = send.body
                }
            }
        }
        return connections.filter { $0.value.account == send.receiver && $0.value.isWelcome }
            .keys.sorted().map { ($0, pushed) }
    }

    private func sendStates(
        _ states: Mailbox_Client_V1_GetSendStates, _ connection: Connection
    ) throws(StoreError) -> Mailbox_Client_V1_SendStates {
        let device = try DeviceID(connection.device)
        var answer = Mailbox_Client_V1_SendStates()
        for receiver in states.receivers {
            let mailbox = try MailboxID(sender: connection.account, receiver: receiver)
            let last = store.inspect { $0.mailboxes[mailbox]?.producers[device]?.last ?? 0 }
            answer.states.append(
                .with {
                    $0.receiver = receiver
                    $0.lastClientSequence = last
                })
        }
        return answer
    }

    private func inbox(
        _ sync: Mailbox_Client_V1_Sync, _ connection: Connection
    ) throws(StoreError) -> Mailbox_Client_V1_Inbox {
        var cursors: [Address: Cursor] = [:]
        for cursor in sync.cursors {
            cursors[try Address(cursor.sender)] = Self.cursor(cursor.cursor)
        }
        let receiver = try Address(connection.account)
        let result = try verb { [cursors] state throws(StoreError) in
            try state.sync(receiver, cursors: cursors, limit: PageLimit(messages: 7))
        }
        return .with {
            $0.epoch = result.epoch.rawValue
            $0.hasMore_p = result.hasMore
            $0.mailboxes = result.entries.map { Self.messages($0.sender.description, $0.result) }
        }
    }

    // MARK: Conversions

    private static func cursor(_ cursor: Mailbox_Client_V1_Cursor) -> Cursor {
        Cursor(cursor.sequence, epoch: Epoch(rawValue: cursor.epoch))
    }

    private static func head(_ head: Head) -> Mailbox_Client_V1_Head {
        .with {
            $0.maxSequence = head.max
            $0.acknowledgedSequence = head.acknowledged
            $0.floor = head.floor
        }
    }

    private static func messages(
        _ sender: String, _ result: FetchResult
    ) -> Mailbox_Client_V1_Messages {
        .with {
            $0.sender = sender
            $0.epoch = result.epoch.rawValue
            $0.hasMore_p = result.hasMore
            $0.head = head(result.head)
            $0.messages = result.messages.map { message in
                .with {
                    $0.sequence = message.sequence
                    $0.timestampMilliseconds = message.timestampMilliseconds
                    $0.device = message.producer?.device.description ?? ""
                    $0.clientSequence = message.producer?.clientSequence ?? 0
                    $0.body = Data(message.body)
                }
            }
        }
    }

    static func refusal(_ error: StoreError) -> Mailbox_Client_V1_Refused {
        .with {
            switch error.code {
            case .invalidArgument: $0.code = .invalidArgument
            case .messageTooLarge: $0.code = .messageTooLarge
            case .producerGap: $0.code = .producerGap
            case .producerConflict: $0.code = .producerConflict
            case .sequenceExhausted: $0.code = .sequenceExhausted
            case .cursorAhead: $0.code = .cursorAhead
            case .epochChanged: $0.code = .epochChanged
            case .trimmed: $0.code = .trimmed
            default: $0.code = .internal
            }
            if let expected = error.facts.expectedClientSequence {
                $0.expectedClientSequence = expected
            }
            if let max = error.facts.maxSequence { $0.maxSequence = max }
            if let epoch = error.facts.currentEpoch { $0.currentEpoch = epoch.rawValue }
            $0.peer = error.facts.mailbox?.sender.description ?? ""
        }
    }
}
