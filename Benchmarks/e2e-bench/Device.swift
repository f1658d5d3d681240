import ClientWire
import NIOCore
import SwiftProtobuf

/// A device: says hello, sends, takes pushes, fetches what they leave out, and confirms what it
/// holds, with one confirmation of a mailbox under way at a time.
final class Device: WebSocketLink.Owner {
    enum Phase { case away, connecting, open }

    private enum Question {
        case hello
        case send(Lane, UInt32)
        case acknowledge(Lane)
        case fetch(Lane)
        case sync
    }

    let name: String
    /// Its number among the devices of its kind.
    let number: Int
    private let token: String
    private unowned let load: Load
    private(set) var phase = Phase.away
    private var link: WebSocketLink?
    private var next: UInt32 = 0
    private var questions: [UInt32: Question] = [:]
    /// Mailboxes to others, and from others by the sender's number.
    private(set) var outgoing: [Lane] = []
    private var incoming: [Int: Lane] = [:]
    /// Messages of its own that are accepted or received, and not both.
    var inFlight = 0

    init(name: String, number: Int, token: String, load: Load) {
        self.name = name
        self.number = number
        self.token = token
        self.load = load
    }

    func writes(to other: Device) {
        guard other.incoming[number] == nil else { return }
        let lane = Lane(from: self, to: other)
        outgoing.append(lane)
        other.incoming[number] = lane
    }

    // MARK: The connection

    /// A new connection; its handler goes into the channel's pipeline.
    func connect(host: String) -> WebSocketLink {
        phase = .connecting
        questions = [:]
        let link = WebSocketLink(host: host, owner: self)
        self.link = link
        return link
    }

    /// Cuts the connection; its end is not told.
    func cut() {
        let link = link
        self.link = nil
        phase = .away
        questions = [:]
        link?.cut()
    }

    /// The connection could not be made.
    func failed(_ link: WebSocketLink, _ reason: String) { ended(link, reason) }

    func wrote(_ link: WebSocketLink) { load.flushSoon(link) }

    func upgraded(_ link: WebSocketLink) {
        ask(.hello) {
            $0.hello = .with {
                $0.token = token
                $0.device = "bench"
            }
        }
    }

    func ended(_ link: WebSocketLink, _ reason: String) {
        guard self.link === link else { return }
        self.link = nil
        let wasOpen = phase == .open
        phase = .away
        questions = [:]
        load.ended(self, wasOpen: wasOpen, reason)
    }

    // MARK: Asking

    private func ask(
        _ question: Question, _ fill: (inout Mailbox_Client_V1_ClientFrame) -> Void
    ) {
        guard let link else { return }
        next = next == .max ? 1 : next + 1
        questions[next] = question
        var frame = Mailbox_Client_V1_ClientFrame()
        frame.request = next
        fill(&frame)
        link.write(frame)
    }

    /// Sends a message that was due at a time.
    func send(_ lane: Lane, due: Int64) {
        let clientSequence = lane.send(due: due)
        let body = load.body()
        inFlight += 1
        load.counts.sent += 1
        ask(.send(lane, clientSequence)) {
            $0.send = .with {
                $0.receiver = lane.receiver.name
                $0.clientSequence = clientSequence
                $0.body = body
            }
        }
    }

    /// Asks for everything that waits: what a device does first.
    func sync() { ask(.sync) { $0.sync = .init() } }

    func fetch(_ lane: Lane) {
        guard !lane.isFetching else { return }
        lane.isFetching = true
        ask(.fetch(lane)) { frame in
            frame.fetch = .with {
                $0.sender = lane.sender.name
                $0.cursor = cursor(lane)
            }
        }
    }

    /// Asks for whatever it does not hold of what was sent to it.
    func fetchMissing() {
        for lane in incoming.values where lane.held < lane.sent { fetch(lane) }
    }

    private func confirm(_ lane: Lane) {
        guard !lane.isAcknowledging, lane.held > lane.acknowledged else { return }
        lane.isAcknowledging = true
        ask(.acknowledge(lane)) { frame in
            frame.acknowledge = .with {
                $0.sender = lane.sender.name
                $0.cursor = cursor(lane)
            }
        }
    }

    private func cursor(_ lane: Lane) -> Mailbox_Client_V1_Cursor {
        .with {
            $0.sequence = lane.held
            $0.epoch = lane.held == 0 ? 0 : load.epoch
        }
    }

    // MARK: Hearing

    func received(_ frame: Mailbox_Client_V1_ServerFrame, _ link: WebSocketLink) {
        switch frame.content {
        case .pushed(let pushed): take(pushed)
        case .notice(let notice): take(notice)
        case .goodbye(let goodbye):
            // Before the welcome it is tried again, as after any other end.
            guard phase == .open else { return }
            load.fail("a goodbye: \(goodbye.reason) \(goodbye.message)")
        case let answer?:
            guard let question = questions.removeValue(forKey: frame.request) else {
                return load.fail("an answer to no question")
            }
            take(answer, question)
        case nil: load.fail("an empty frame")
        }
    }

    private func take(
        _ answer: Mailbox_Client_V1_ServerFrame.OneOf_Content, _ question: Question
    ) {
        switch (question, answer) {
        case (.hello, .welcome(let welcome)):
            load.epoch = welcome.epoch
            phase = .open
            if load.syncsFirst { sync() } else { load.isThere(self) }
        case (.sync, .inbox): load.isThere(self)
        case (.send(let lane, let clientSequence), .accepted(let accepted)):
            guard accepted.sequence == clientSequence, !accepted.isDuplicate else {
                return load.fail("message \(clientSequence) got sequence \(accepted.sequence)")
            }
            load.accepted(lane, clientSequence)
        case (.acknowledge(let lane), .acknowledged(let acknowledged)):
            lane.isAcknowledging = false
            load.acknowledged(lane.confirmed(acknowledged.head.acknowledgedSequence))
            confirm(lane)
        case (.fetch(let lane), .messages(let messages)):
            lane.isFetching = false
            for message in messages.messages where message.sequence == lane.held + 1 {
                load.received(lane, message.clientSequence, isPushed: false)
            }
            load.acknowledged(lane.confirmed(messages.head.acknowledgedSequence))
            if messages.hasMore_p { fetch(lane) } else { confirm(lane) }
        case (_, .refused(let refused)): load.fail("refused: \(refused.code) \(refused.message)")
        default: load.fail("an answer of another kind than the question")
        }
    }

    private func lane(of sender: String) -> Lane? {
        guard let number = Int(sender.dropFirst()), let lane = incoming[number] else {
            load.fail("a message of somebody else")
            return nil
        }
        return lane
    }

    private func take(_ pushed: Mailbox_Client_V1_Pushed) {
        guard let lane = lane(of: pushed.sender) else { return }
        // What is held already comes twice, perhaps: a push is a hint.
        guard pushed.message.sequence > lane.held else { return }
        guard pushed.message.sequence == lane.held + 1 else { return fetch(lane) }
        load.received(lane, pushed.message.clientSequence, isPushed: true)
        confirm(lane)
    }

    private func take(_ notice: Mailbox_Client_V1_Notice) {
        guard !notice.sender.isEmpty else { return fetchMissing() }
        guard let lane = lane(of: notice.sender), notice.maxSequence > lane.held else { return }
        fetch(lane)
    }
}
