import ClientWire
import Foundation
import GRDB
import Mailbox
import SwiftProtobuf

typealias ClientFrame = Mailbox_Client_V1_ClientFrame
typealias ServerFrame = Mailbox_Client_V1_ServerFrame

/// Everything that a client decides, without I/O but for its database: it is told what happens and
/// when, and answers what to do. One thread at a time.
///
/// Each call is one transaction, and nothing that it answers may happen before that is durable.
/// What is not in the database is void with the connection.
final class ClientCore {
    /// What happens.
    enum Input {
        case start
        case stop
        case networkChanged
        case token(String?)
        case opened(UInt64)
        case closed(UInt64)
        case frames(UInt64, [ServerFrame])
        case tick
    }

    /// What to do.
    enum Output {
        case requestToken(isRenewal: Bool)
        case open(UInt64)
        case send(UInt64, ClientFrame)
        case close(UInt64)
        case event(ClientEvent)
        case outgoing(Int64, OutgoingState)
    }

    let database: ClientDatabase
    let configuration: ClientConfiguration
    var session: Session
    var random: ClientRandom
    var link: Link?
    var outputs: [Output] = []
    /// What a call that threw leaves to the next one.
    private var carried: [Output] = []
    var now: Int64 = 0
    var wallMilliseconds: Int64 = 0
    /// Messages that wait in the outbox.
    private(set) var waitingCount = 0
    /// The server refused the token, and has taken none since.
    var isTokenRefused = false
    var activity = ClientActivity()

    init(database: ClientDatabase, configuration: ClientConfiguration) throws(ClientError) {
        self.database = database
        self.configuration = configuration
        random = ClientRandom(seed: configuration.seed)
        session = Session(timing: configuration.timing, random: random)
        do {
            waitingCount = try database.read {
                Int(try $0.number("SELECT count(*) FROM message WHERE state = 0"))
            }
        } catch {
            throw ClientDatabase.error(error)
        }
    }

    /// When `tick` is due; nil when nothing is waited for.
    var deadline: Int64? {
        var deadline = session.deadline ?? .max
        if session.state == .connected, link != nil {
            deadline = min(deadline, link?.requestDeadline() ?? .max)
            for conversation in link?.paused ?? [] {
                deadline = min(deadline, link?.lanes[conversation]?.pausedUntil ?? .max)
            }
            for until in [link?.receivingPausedUntil, link?.sendingPausedUntil] {
                if let until, until > now { deadline = min(deadline, until) }
            }
            deadline = min(deadline, link?.syncAt ?? .max)
        }
        return deadline == .max ? nil : deadline
    }

    /// Takes what happened.
    ///
    /// - Parameters:
    ///   - now: milliseconds of a clock that never jumps.
    ///   - wall: milliseconds since 1970: for display and for tokens' expiry alone.
    func handle(_ input: Input, now: Int64, wall: Int64) -> [Output] {
        begin(now, wall)
        let before = session.state
        do {
            try database.write { db in
                try take(input, db)
                try pump(db)
            }
        } catch {
            // Nothing that hangs on the transaction may leave; what memory says is void.
            outputs = [.close(session.connection), .event(.databaseFailed("\(error)"))]
            link = nil
            for case .close(let connection, _) in session.giveUp(now) {
                outputs.append(.close(connection))
            }
        }
        if session.state != before { outputs.append(.event(.connection(session.state))) }
        defer { outputs = [] }
        return outputs
    }

    /// Saves messages, all or none; when this returns they are durable.
    ///
    /// - Returns: the messages' rows, in order.
    /// - Throws: `outboxFull`, `messageTooLarge`, `sequenceExhausted`, `database`.
    func save(
        _ messages: [(peer: Address, body: Data)], now: Int64, wall: Int64
    ) throws(ClientError) -> (ids: [Int64], outputs: [Output]) {
        begin(now, wall)
        guard waitingCount + messages.count <= configuration.outboxMessagesMaximum else {
            throw ClientError(
                code: .outboxFull,
                message: "\(waitingCount) messages wait to be sent; wait until some are accepted")
        }
        var isSaved = false
        do {
            let ids = try database.write { db in
                let ids = try insert(messages, db)
                isSaved = true
                try pump(db)
                return ids
            }
            waitingCount += messages.count
            defer { outputs = [] }
            return (ids, outputs)
        } catch {
            outputs = []
            // Lanes may have moved on, in memory alone: what memory says is void.
            if isSaved || !(error is ClientError) {
                carried.append(.close(session.connection))
                for case .close(let connection, _) in session.giveUp(now) {
                    carried.append(.close(connection))
                }
                link = nil
            }
            throw ClientDatabase.error(error)
        }
    }

    private func insert(
        _ messages: [(peer: Address, body: Data)], _ db: Database
    ) throws -> [Int64] {
        let device = try DeviceTable.current(db)
        let limit = try ClientTable.state(db).bodyBytesMaximum
        for message in messages where limit > 0 && message.body.count > limit {
            throw ClientError(
                code: .messageTooLarge,
                message: "the body has \(message.body.count) bytes; the server takes at most "
                    + "\(limit)")
        }
        var ids: [Int64] = []
        var conversations: [Int64] = []
        for message in messages {
            let conversation = try InboxTable.findOrAdd(message.peer.description, db).id
            conversations.append(conversation)
            ids.append(
                try OutboxTable.save(
                    message.body, conversation: conversation, device: device.id,
                    now: wallMilliseconds, db))
        }
        if link?.device == device, link?.isWelcome == true {
            for conversation in conversations { link?.enqueue(conversation) }
        }
        return ids
    }

    private func begin(_ now: Int64, _ wall: Int64) {
        self.now = now
        wallMilliseconds = wall
        outputs = carried
        carried = []
    }

    private func take(_ input: Input, _ db: Database) throws {
        switch input {
        case .start: try perform(session.start(now), db)
        case .stop: try perform(session.stop(), db)
        case .networkChanged: try perform(session.networkChanged(now), db)
        case .token(let token): try perform(session.tokenCame(token, now), db)
        case .opened(let connection): try perform(session.opened(connection, now), db)
        case .closed(let connection): try perform(session.closed(connection, now), db)
        case .frames(let connection, let frames):
            for frame in frames where link?.connection == connection {
                session.heard(connection, now)
                try take(frame, db)
            }
        case .tick:
            if let deadline = link?.requestDeadline(), now >= deadline {
                try perform(session.giveUp(now), db)
            }
            if let syncAt = link?.syncAt, now >= syncAt {
                link?.syncAt = .max
                link?.needsSync = true
            }
            try perform(session.tick(now), db)
        }
    }

    // MARK: The session's actions

    func perform(_ actions: [Session.Action], _ db: Database) throws {
        for action in actions {
            switch action {
            case .requestToken(let isRenewal):
                outputs.append(.requestToken(isRenewal: isRenewal))
            case .open(let connection): outputs.append(.open(connection))
            case .hello(let connection, let token): try hello(connection, token, db)
            case .refreshToken(_, let token):
                request(.refreshToken) { $0.refreshToken = .with { $0.token = token } }
            case .ping:
                let nonce = random.next()
                request(.ping) { $0.ping = .with { $0.nonce = nonce } }
            case .close(let connection, let withGoodbye):
                if withGoodbye {
                    let goodbye = ClientFrame.with { $0.goodbye = .with { $0.reason = .done } }
                    outputs.append(.send(connection, goodbye))
                }
                outputs.append(.close(connection))
            case .lost(let connection):
                if link?.connection == connection { link = nil }
            }
        }
    }

    private func hello(_ connection: UInt64, _ token: String, _ db: Database) throws {
        let device = try DeviceTable.toConnect(db)
        let session = try ClientTable.state(db).session
        link = Link(
            connection: connection, device: device,
            sendWindow: configuration.sendsInFlightMaximum)
        request(.hello) { frame in
            frame.hello = .with {
                $0.token = token
                $0.device = device.name
                $0.resumeSession = session
                $0.program = configuration.program
            }
        }
    }

    /// Sends a request, and remembers what its answer is to.
    func request(_ request: Link.Request, _ fill: (inout ClientFrame) -> Void) {
        guard let connection = link?.connection else { return }
        let deadline = now + configuration.timing.answerMilliseconds
        var frame = ClientFrame()
        fill(&frame)
        frame.request = link?.add(request, deadline: deadline) ?? 0
        outputs.append(.send(connection, frame))
    }

    func say(_ event: ClientEvent) { outputs.append(.event(event)) }

    /// The server does not keep the protocol.
    func violation(_ what: String, _ db: Database) throws {
        say(.protocolViolation(what))
        try perform(session.giveUp(now), db)
    }

    /// What became of a message that waited.
    func settle(_ id: Int64, _ state: OutgoingState) {
        waitingCount -= 1
        outputs.append(.outgoing(id, state))
    }

    /// Messages that were settled wait again.
    func unsettle(_ count: Int) { waitingCount += count }
}

/// Counts of what a client did since it was opened.
struct ClientActivity {
    var accepted = 0
    var duplicates = 0
    var received = 0
    var dropped = 0
    var connections = 0
}
