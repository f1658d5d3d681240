import ClientWire
import Foundation
import GRDB
import Mailbox
import SwiftProtobuf
import Testing

@testable import MailboxClient

/// A client's core over a database in memory, and a server that says what a test tells it to.
final class ScriptedCore {
    let core: ClientCore
    let database: ClientDatabase
    var now: Int64 = 1_000
    var wall: Int64 = 1_750_000_000_000
    private(set) var events: [ClientEvent] = []
    private(set) var states: [Int64: OutgoingState] = [:]
    /// What was sent and is not answered yet.
    private(set) var asked: [ClientFrame] = []
    private(set) var tokenRequests: [Bool] = []
    private(set) var closedCount = 0
    private var connection: UInt64 = 0

    init(_ change: (inout ClientConfiguration) -> Void = { _ in }) throws {
        var configuration = ClientConfiguration()
        configuration.seed = 1
        change(&configuration)
        var random = ClientRandom(seed: 2)
        database = try ClientDatabase(queue: DatabaseQueue(), mintName: { random.name() })
        core = try ClientCore(database: database, configuration: configuration)
    }

    func handle(_ input: ClientCore.Input) {
        take(core.handle(input, now: now, wall: wall))
    }

    private func take(_ outputs: [ClientCore.Output]) {
        for output in outputs {
            switch output {
            case .requestToken(let isRenewal): tokenRequests.append(isRenewal)
            case .open(let number):
                connection = number
                asked = []
            case .send(_, let frame): asked.append(frame)
            case .close: closedCount += 1
            case .event(let event): events.append(event)
            case .outgoing(let id, let state): states[id] = state
            }
        }
    }

    /// Connects, as far as the welcome, and answers the first sync.
    func connect(
        epoch: UInt64 = 1, account: String = "anna", tokenLife: Int64? = nil,
        inbox: Mailbox_Client_V1_Inbox? = nil
    ) throws {
        handle(.start)
        // Waits for nothing but its own backoff.
        if core.session.state == .waiting {
            now = core.deadline ?? now
            handle(.tick)
        }
        handle(.token("token"))
        handle(.opened(connection))
        try answer(.hello) { [wall] in
            $0.welcome = .with {
                $0.account = account
                $0.session = 5
                $0.epoch = epoch
                $0.bodyBytesMaximum = 1_000
                $0.requestsInFlightMaximum = 256
                if let tokenLife { $0.tokenExpiresMilliseconds = wall + tokenLife }
            }
        }
        guard core.session.state == .connected else { return }
        if let inbox { try answer(.sync) { $0.inbox = inbox } }
    }

    func cut() { handle(.closed(connection)) }

    /// What a frame asks for.
    enum Kind {
        case hello, send, sendStates, sync, fetch, acknowledge, refreshToken, ping
    }

    private static func kind(_ frame: ClientFrame) -> Kind? {
        switch frame.content {
        case .hello: .hello
        case .send: .send
        case .getSendStates: .sendStates
        case .sync: .sync
        case .fetch: .fetch
        case .acknowledge: .acknowledge
        case .refreshToken: .refreshToken
        case .ping: .ping
        default: nil
        }
    }

    /// The frames of a kind that wait for their answers.
    func waiting(_ kind: Kind) -> [ClientFrame] { asked.filter { Self.kind($0) == kind } }

    /// Answers the oldest request of a kind.
    func answer(_ kind: Kind, _ fill: (inout ServerFrame) -> Void) throws {
        let index = try #require(
            asked.firstIndex { Self.kind($0) == kind }, "no \(kind) was asked for")
        var frame = ServerFrame()
        frame.request = asked.remove(at: index).request
        fill(&frame)
        handle(.frames(connection, [frame]))
    }

    func refuse(
        _ kind: Kind, _ code: Mailbox_Client_V1_RefusalCode,
        _ fill: (inout Mailbox_Client_V1_Refused) -> Void = { _ in }
    ) throws {
        try answer(kind) { frame in
            frame.refused = .with {
                $0.code = code
                fill(&$0)
            }
        }
    }

    /// Says how far the server is with the only receiver that was asked about.
    func sayLast(_ clientSequence: UInt32, of peer: String = "bert") throws {
        try answer(.sendStates) { frame in
            frame.sendStates = .with {
                $0.states = [
                    .with {
                        $0.receiver = peer
                        $0.lastClientSequence = clientSequence
                    }
                ]
            }
        }
    }

    /// Accepts the oldest message that waits for its answer.
    func accept(
        _ sequence: UInt32, epoch: UInt64 = 1, isDuplicate: Bool = false, wasResent: Bool = false
    ) throws {
        try answer(.send) { frame in
            frame.accepted = .with {
                $0.sequence = sequence
                $0.epoch = epoch
                $0.isDuplicate = isDuplicate
                $0.wasResent = wasResent
            }
        }
    }

    /// A frame that answers nothing.
    func tell(_ fill: (inout ServerFrame) -> Void) {
        var frame = ServerFrame()
        fill(&frame)
        handle(.frames(connection, [frame]))
    }

    @discardableResult
    func save(_ bodies: String..., to peer: String = "bert") throws -> [Int64] {
        let address = try Address(peer)
        let (ids, outputs) = try core.save(
            bodies.map { (address, Data($0.utf8)) }, now: now, wall: wall)
        take(outputs)
        return ids
    }

    /// Messages of one sender, as the server answers them; the texts name device and number.
    static func messages(
        _ sender: String = "bert", _ sequences: ClosedRange<UInt32>, max: UInt32? = nil,
        acknowledged: UInt32 = 0, epoch: UInt64 = 1, device: String = "phone", offset: UInt32 = 0
    ) -> Mailbox_Client_V1_Messages {
        .with {
            $0.sender = sender
            $0.epoch = epoch
            $0.head = .with {
                $0.maxSequence = max ?? sequences.upperBound
                $0.acknowledgedSequence = acknowledged
            }
            $0.messages = sequences.map { message($0, device, $0 &+ offset) }
        }
    }

    static func message(
        _ sequence: UInt32, _ device: String, _ clientSequence: UInt32
    ) -> Mailbox_Client_V1_Message {
        .with {
            $0.sequence = sequence
            $0.timestampMilliseconds = 5
            $0.device = device
            $0.clientSequence = clientSequence
            $0.body = Data("\(device) \(clientSequence)".utf8)
        }
    }

    static func inbox(_ messages: Mailbox_Client_V1_Messages...) -> Mailbox_Client_V1_Inbox {
        .with {
            $0.epoch = messages.first?.epoch ?? 1
            $0.mailboxes = messages
        }
    }

    /// What was received, in the order in which it was stored.
    func received() throws -> [String] {
        try database.read { db in
            try String.fetchAll(
                db, sql: "SELECT CAST(body AS TEXT) FROM message WHERE state >= 3 ORDER BY id")
        }
    }

    func cursor(_ peer: String = "bert") throws -> UInt32? {
        try database.read { try InboxTable.find(peer, $0)?.cursor }
    }

    var device: String {
        get throws { try database.read { try DeviceTable.current($0).name } }
    }
}
