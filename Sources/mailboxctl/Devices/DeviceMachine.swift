import ClientWire
import Foundation
import Mailbox

/// What one device does, without I/O: it sends what it is given until the server has it, applies
/// what comes, once and in order, and confirms it. A connection that is lost changes nothing of
/// that; the next one goes on where it ended.
///
/// What comes is kept in memory: a machine is a device for as long as the process lasts.
struct DeviceMachine {
    typealias Answer = Mailbox_Client_V1_ServerFrame
    typealias Content = Mailbox_Client_V1_ClientFrame.OneOf_Content

    /// How a message came.
    enum Way {
        case pushed
        case fetched
    }

    /// What an event led to: for whoever has the connection, and for who counts.
    struct Effects {
        /// To be sent, in this order.
        var frames: [Mailbox_Client_V1_ClientFrame] = []
        /// The server has them: the receiver, and the last client sequence; with how many.
        var accepted: [(receiver: Address, through: ClientSequence, count: Int)] = []
        /// Answers that said that a message was stored before.
        var duplicates = 0
        /// Applied, in this order.
        var received: [(sender: Address, message: Mailbox_Client_V1_Message, way: Way)] = []
        /// Messages that came though the device had them.
        var repeated = 0
        /// Messages through which nothing new can come any more were confirmed.
        var confirmed = 0
        /// Nothing more is to be asked before so long; then `resume` is to be called.
        var pauseMilliseconds: Int?
        /// The server said goodbye: the next connection may be opened after so long.
        var reconnectMilliseconds: Int?
        /// What no device may meet: the code of a refusal, or what was wrong.
        var problem: String?
    }

    private enum Phase { case offline, greeting, open }

    private enum Asked {
        case hello
        case send(Address, ClientSequence)
        case states([Address])
        case sync([Address: SequenceNumber])
        case fetch(Address, SequenceNumber)
        case acknowledge(Address, SequenceNumber)
    }

    /// What is sent to one receiver.
    private struct Lane {
        /// The client sequence of the first message that waits.
        var first: ClientSequence = 1
        /// Messages that the server does not have, as far as is known.
        var waiting: [[UInt8]] = []
        /// So many of them were written to this connection.
        var written = 0
        /// Answers that are missing on this connection.
        var inFlight = 0
        /// The server's number is to be asked for before anything more is sent.
        var isSettling = false
        var isQueued = false
    }

    /// What is had of one sender.
    private struct Holding {
        var cursor: SequenceNumber = 0
        /// The server knows that the device holds everything through it.
        var confirmed: SequenceNumber = 0
        /// The newest that was heard of.
        var newest: SequenceNumber = 0
        var isAsking = false
        var isQueued = false
    }

    /// Sends that wait for their answers.
    static let sendsMaximum = 64
    /// Fetches and confirmations that wait for theirs.
    static let readsMaximum = 32
    /// Names in one request, as the protocol allows.
    static let namesMaximum = 1_000

    let account: Address
    let device: DeviceID
    private var phase = Phase.offline
    private var isPaused = false
    private var epoch: UInt64 = 0
    private var requests: [UInt32: Asked] = [:]
    private var nextRequest: UInt32 = 1
    private var sends = 0
    private var reads = 0
    private var lanes: [Address: Lane] = [:]
    /// Lanes with something to write, each once.
    private var sendable: [Address] = []
    private var toSettle: Set<Address> = []
    private var isAskingStates = false
    private var holdings: [Address: Holding] = [:]
    /// Senders of whom something is to be fetched or confirmed, each once.
    private var readable: [Address] = []
    private var needsSync = false
    private var isSyncing = false

    init(account: Address, device: DeviceID) {
        self.account = account
        self.device = device
    }

    var isOpen: Bool { phase == .open }

    /// Nothing waits to be sent, fetched or confirmed.
    var isIdle: Bool {
        phase == .open && requests.isEmpty && sendable.isEmpty && toSettle.isEmpty
            && readable.isEmpty && !needsSync && lanes.values.allSatisfy(\.waiting.isEmpty)
    }

    // MARK: Events

    /// Takes a message for a receiver.
    ///
    /// - Returns: its client sequence.
    mutating func enqueue(
        _ body: [UInt8], to receiver: Address, _ effects: inout Effects
    ) -> ClientSequence {
        lanes[receiver, default: Lane()].waiting.append(body)
        let number = lanes[receiver].map { $0.first + ClientSequence($0.waiting.count) - 1 } ?? 0
        queue(receiver)
        pump(&effects)
        return number
    }

    /// The connection is open.
    mutating func opened(token: String, _ effects: inout Effects) {
        phase = .greeting
        var hello = Mailbox_Client_V1_Hello()
        hello.token = token
        hello.device = device.description
        hello.program = "mailboxctl"
        ask(.hello, .hello(hello), &effects)
    }

    /// The connection is no more: what is not known to be stored or confirmed is done again.
    mutating func closed() {
        phase = .offline
        isPaused = false
        requests = [:]
        (sends, reads) = (0, 0)
        (isAskingStates, isSyncing, needsSync) = (false, false, false)
        for receiver in lanes.keys {
            lanes[receiver]?.inFlight = 0
            guard lanes[receiver]?.written != 0 else { continue }
            lanes[receiver]?.isSettling = true
            toSettle.insert(receiver)
        }
        for sender in holdings.keys {
            holdings[sender]?.isAsking = false
            look(sender)
        }
    }

    /// The pause is over.
    mutating func resume(_ effects: inout Effects) {
        isPaused = false
        pump(&effects)
    }

    /// A frame came.
    mutating func take(_ frame: Answer, _ effects: inout Effects) {
        switch frame.content {
        case .pushed(let pushed): take(pushed, &effects)
        case .notice(let notice): take(notice)
        case .goodbye(let goodbye): take(goodbye, &effects)
        case .refused(let refused):
            guard let asked = requests.removeValue(forKey: frame.request) else { return }
            take(refused, of: asked, &effects)
        default:
            guard let asked = requests.removeValue(forKey: frame.request) else { return }
            take(frame.content, of: asked, &effects)
        }
        pump(&effects)
    }

    private mutating func take(
        _ content: Answer.OneOf_Content?, of asked: Asked, _ effects: inout Effects
    ) {
        switch (asked, content) {
        case (.hello, .welcome(let welcome)):
            phase = .open
            epoch = welcome.epoch
            needsSync = true
        case (.send(let receiver, let number), .accepted(let accepted)):
            sends -= 1
            lanes[receiver]?.inFlight -= 1
            if accepted.isDuplicate { effects.duplicates += 1 }
            self.accepted(receiver, through: number, &effects)
        case (.states(let receivers), .sendStates(let states)):
            isAskingStates = false
            for (receiver, state) in zip(receivers, states.states) {
                settled(receiver, state.lastClientSequence, &effects)
            }
        case (.sync(let cursors), .inbox(let inbox)):
            isSyncing = false
            needsSync = needsSync || inbox.hasMore_p
            for (sender, cursor) in cursors { confirmed(sender, cursor, &effects) }
            for messages in inbox.mailboxes { take(messages, &effects) }
        case (.fetch(let sender, let cursor), .messages(let messages)):
            reads -= 1
            holdings[sender]?.isAsking = false
            confirmed(sender, cursor, &effects)
            take(messages, &effects)
            look(sender)
        case (.acknowledge(let sender, let cursor), .acknowledged):
            reads -= 1
            holdings[sender]?.isAsking = false
            confirmed(sender, cursor, &effects)
            look(sender)
        default: effects.problem = "an answer of the wrong kind came"
        }
    }

    private mutating func take(
        _ goodbye: Mailbox_Client_V1_Goodbye, _ effects: inout Effects
    ) {
        switch goodbye.reason {
        case .done, .shutdown, .overloaded, .slow, .idle, .internal:
            effects.reconnectMilliseconds = Int(goodbye.reconnectAfterMilliseconds)
        default: effects.problem = "the server said goodbye: \(goodbye.reason)"
        }
    }

    // MARK: Refusals

    private mutating func take(
        _ refused: Mailbox_Client_V1_Refused, of asked: Asked, _ effects: inout Effects
    ) {
        switch refused.code {
        case .overloaded, .unavailable, .storageFull, .internal:
            // A refused send brings those behind it down with it, at once.
            isPaused = true
            effects.pauseMilliseconds = max(20, Int(refused.retryAfterMilliseconds))
        case .producerGap: break
        default: effects.problem = "\(refused.code): \(refused.message)"
        }
        switch asked {
        case .hello: effects.reconnectMilliseconds = Int(refused.retryAfterMilliseconds)
        case .send(let receiver, _):
            sends -= 1
            lanes[receiver]?.inFlight -= 1
            lanes[receiver]?.isSettling = true
            toSettle.insert(receiver)
        case .states(let receivers):
            isAskingStates = false
            toSettle.formUnion(receivers)
        case .sync:
            isSyncing = false
            needsSync = true
        case .fetch(let sender, _), .acknowledge(let sender, _):
            reads -= 1
            holdings[sender]?.isAsking = false
            look(sender)
        }
    }

    // MARK: Sending

    private mutating func queue(_ receiver: Address) {
        guard let lane = lanes[receiver], !lane.isQueued, !lane.isSettling,
            lane.written < lane.waiting.count
        else { return }
        lanes[receiver]?.isQueued = true
        sendable.append(receiver)
    }

    /// The server has everything through `last`; nothing of the lane is under way.
    private mutating func settled(
        _ receiver: Address, _ last: ClientSequence, _ effects: inout Effects
    ) {
        accepted(receiver, through: last, &effects)
        lanes[receiver]?.isSettling = false
        lanes[receiver]?.written = 0
        queue(receiver)
    }

    /// The server has everything through a client sequence: it stores no number without the one
    /// before.
    private mutating func accepted(
        _ receiver: Address, through last: ClientSequence, _ effects: inout Effects
    ) {
        guard var lane = lanes[receiver], last >= lane.first else { return }
        let count = min(Int(last - lane.first) + 1, lane.waiting.count)
        guard count > 0 else { return }
        lane.waiting.removeFirst(count)
        lane.first += ClientSequence(count)
        lane.written = max(0, lane.written - count)
        lanes[receiver] = lane
        effects.accepted.append((receiver, lane.first - 1, count))
    }

    private mutating func pumpSends(_ effects: inout Effects) {
        if !isAskingStates {
            let ready = toSettle.filter { lanes[$0]?.inFlight == 0 }.prefix(Self.namesMaximum)
            if !ready.isEmpty {
                isAskingStates = true
                toSettle.subtract(ready)
                var question = Mailbox_Client_V1_GetSendStates()
                question.receivers = ready.map(\.description)
                ask(.states(Array(ready)), .getSendStates(question), &effects)
            }
        }
        var place = 0
        while place < sendable.count, sends < Self.sendsMaximum {
            let receiver = sendable[place]
            place += 1
            guard var lane = lanes[receiver] else { continue }
            lane.isQueued = false
            defer { lanes[receiver] = lane }
            while !lane.isSettling, lane.written < lane.waiting.count, sends < Self.sendsMaximum {
                var send = Mailbox_Client_V1_Send()
                send.receiver = receiver.description
                send.clientSequence = lane.first + ClientSequence(lane.written)
                send.body = Data(lane.waiting[lane.written])
                lane.written += 1
                lane.inFlight += 1
                sends += 1
                ask(.send(receiver, send.clientSequence), .send(send), &effects)
            }
            if !lane.isSettling, lane.written < lane.waiting.count {
                lane.isQueued = true
                sendable.append(receiver)
            }
        }
        sendable.removeFirst(place)
    }

    // MARK: Receiving

    private mutating func take(
        _ pushed: Mailbox_Client_V1_Pushed, _ effects: inout Effects
    ) {
        guard let sender = try? Address(pushed.sender) else {
            effects.problem = "a push came of nobody"
            return
        }
        note(sender, pushed.message.sequence)
        apply(pushed.message, of: sender, .pushed, &effects)
        look(sender)
    }

    private mutating func take(_ notice: Mailbox_Client_V1_Notice) {
        guard let sender = try? Address(notice.sender) else {
            needsSync = true
            return
        }
        note(sender, notice.maxSequence)
        look(sender)
    }

    private mutating func take(
        _ messages: Mailbox_Client_V1_Messages, _ effects: inout Effects
    ) {
        guard let sender = try? Address(messages.sender) else {
            effects.problem = "messages came of nobody"
            return
        }
        epoch = messages.epoch
        note(sender, messages.head.maxSequence)
        // What another device of the account confirmed before does not come any more.
        let watermark = messages.head.acknowledgedSequence
        if watermark > holdings[sender]?.cursor ?? 0 {
            holdings[sender]?.cursor = watermark
            holdings[sender]?.confirmed = watermark
        }
        for message in messages.messages { apply(message, of: sender, .fetched, &effects) }
        look(sender)
    }

    private mutating func note(_ sender: Address, _ newest: SequenceNumber) {
        let known = holdings[sender, default: Holding()].newest
        holdings[sender, default: Holding()].newest = max(known, newest)
    }

    /// Takes a message if it is the next; an older one is had already, a newer one is fetched.
    private mutating func apply(
        _ message: Mailbox_Client_V1_Message, of sender: Address, _ way: Way,
        _ effects: inout Effects
    ) {
        let cursor = holdings[sender]?.cursor ?? 0
        if message.sequence == cursor + 1 {
            holdings[sender]?.cursor = message.sequence
            effects.received.append((sender, message, way))
        } else if message.sequence <= cursor {
            effects.repeated += 1
        }
    }

    private mutating func confirmed(
        _ sender: Address, _ cursor: SequenceNumber, _ effects: inout Effects
    ) {
        guard let known = holdings[sender]?.confirmed, cursor > known else { return }
        holdings[sender]?.confirmed = cursor
        effects.confirmed += Int(cursor - known)
    }

    private mutating func look(_ sender: Address) {
        guard let holding = holdings[sender], !holding.isAsking, !holding.isQueued,
            holding.newest > holding.cursor || holding.cursor > holding.confirmed
        else { return }
        holdings[sender]?.isQueued = true
        readable.append(sender)
    }

    private mutating func pumpReads(_ effects: inout Effects) {
        if needsSync, !isSyncing { sync(&effects) }
        // What a sync brings need not be fetched.
        guard !isSyncing else { return }
        var place = 0
        while place < readable.count, reads < Self.readsMaximum {
            let sender = readable[place]
            place += 1
            holdings[sender]?.isQueued = false
            guard let holding = holdings[sender] else { continue }
            holdings[sender]?.isAsking = true
            reads += 1
            let cursor = wire(holding.cursor)
            if holding.newest > holding.cursor {
                var fetch = Mailbox_Client_V1_Fetch()
                fetch.sender = sender.description
                fetch.cursor = cursor
                ask(.fetch(sender, holding.cursor), .fetch(fetch), &effects)
            } else {
                var acknowledge = Mailbox_Client_V1_Acknowledge()
                acknowledge.sender = sender.description
                acknowledge.cursor = cursor
                ask(.acknowledge(sender, holding.cursor), .acknowledge(acknowledge), &effects)
            }
        }
        readable.removeFirst(place)
    }

    private mutating func sync(_ effects: inout Effects) {
        needsSync = false
        isSyncing = true
        var cursors: [Address: SequenceNumber] = [:]
        var sync = Mailbox_Client_V1_Sync()
        for (sender, holding) in holdings where holding.cursor > holding.confirmed {
            guard cursors.count < Self.namesMaximum else { break }
            cursors[sender] = holding.cursor
            var cursor = Mailbox_Client_V1_SenderCursor()
            cursor.sender = sender.description
            cursor.cursor = wire(holding.cursor)
            sync.cursors.append(cursor)
        }
        sync.messagesMaximum = 500
        ask(.sync(cursors), .sync(sync), &effects)
    }

    private func wire(_ sequence: SequenceNumber) -> Mailbox_Client_V1_Cursor {
        var cursor = Mailbox_Client_V1_Cursor()
        cursor.sequence = sequence
        if sequence > 0 { cursor.epoch = epoch }
        return cursor
    }

    // MARK: Requests

    private mutating func ask(_ asked: Asked, _ content: Content, _ effects: inout Effects) {
        var frame = Mailbox_Client_V1_ClientFrame()
        frame.request = nextRequest
        frame.content = content
        requests[nextRequest] = asked
        nextRequest = nextRequest == .max ? 1 : nextRequest + 1
        effects.frames.append(frame)
    }

    private mutating func pump(_ effects: inout Effects) {
        guard phase == .open, !isPaused else { return }
        pumpSends(&effects)
        pumpReads(&effects)
    }
}
