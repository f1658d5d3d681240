import ClientWire
import Mailbox
import Testing

@testable import mailboxctl

/// Devices on a network that loses connections, and answers and pushes with them; the server is the
/// contract in a few lines.
@Suite struct DeviceMachineTests {
    @Test(arguments: 1...60)
    func everyMessageArrivesOnceInOrder(seed: UInt64) throws {
        var world = try World(seed: seed)
        for _ in 0..<3_000 { try world.step() }
        try world.calmDown()
        let counts = world.ledger.counts
        #expect(counts.isPerfect, "seed \(seed): \(counts)")
        #expect(counts.sent > 200 && counts.fetched > 0 && counts.pushed > 0, "seed \(seed)")
        #expect(world.problem == nil, "seed \(seed)")
    }

    @Test func whatIsRefusedForGoodIsAProblem() throws {
        let anna = try Address("anna")
        var machine = DeviceMachine(account: anna, device: try DeviceID("d"))
        var effects = DeviceMachine.Effects()
        machine.opened(token: "t", &effects)
        var refused = Mailbox_Client_V1_ServerFrame()
        refused.request = effects.frames[0].request
        refused.refused.code = .messageTooLarge
        machine.take(refused, &effects)
        #expect(effects.problem?.contains("essageTooLarge") == true)
        var goodbye = Mailbox_Client_V1_ServerFrame()
        goodbye.goodbye.reason = .unauthenticated
        var other = DeviceMachine.Effects()
        machine.take(goodbye, &other)
        #expect(other.problem != nil && other.reconnectMilliseconds == nil)
        goodbye.goodbye.reason = .shutdown
        goodbye.goodbye.reconnectAfterMilliseconds = 7
        var last = DeviceMachine.Effects()
        machine.take(goodbye, &last)
        #expect(last.problem == nil && last.reconnectMilliseconds == 7)
    }
}

/// Three accounts, a server, and everything that is on its way between them.
private struct World {
    struct Member {
        var machine: DeviceMachine
        var toServer: [Mailbox_Client_V1_ClientFrame] = []
        var toDevice: [Mailbox_Client_V1_ServerFrame] = []
        var isConnected = false
    }

    var members: [Member] = []
    var server = ContractServer()
    var ledger: DeliveryLedger
    var problem: String?
    private var random: SplitMix64
    private let accounts: [Address]
    private let now = ContinuousClock().now
    private var isCalm = false

    init(seed: UInt64) throws {
        random = SplitMix64(state: seed)
        let device = try DeviceID("device")
        ledger = DeliveryLedger(device: device)
        accounts = try ["anna", "bert", "cleo"].map { try Address($0) }
        members = accounts.map { Member(machine: DeviceMachine(account: $0, device: device)) }
    }

    private mutating func draw(_ count: Int) -> Int { Int(random.next() % UInt64(count)) }

    mutating func step() throws {
        let place = draw(members.count)
        switch draw(100) {
        case 0..<3: cut(place)
        case 3..<20: connect(place)
        case 20..<35: write(place)
        case 35..<40:
            var effects = DeviceMachine.Effects()
            members[place].machine.resume(&effects)
            perform(effects, place)
        case 40..<70: serve(place)
        default: hear(place)
        }
    }

    /// Nothing is lost any more: all that is under way is brought to its end.
    mutating func calmDown() throws {
        isCalm = true
        // A push that was lost is made up for by the next one, or by the next connection.
        for place in members.indices { cut(place) }
        for _ in 0..<20_000 {
            var isQuiet = true
            for place in members.indices {
                connect(place)
                var effects = DeviceMachine.Effects()
                members[place].machine.resume(&effects)
                perform(effects, place)
                serve(place)
                hear(place)
                isQuiet = isQuiet && members[place].machine.isIdle
            }
            if isQuiet, members.allSatisfy({ $0.toServer.isEmpty && $0.toDevice.isEmpty }) {
                return
            }
        }
    }

    private mutating func write(_ place: Int) {
        let receiver = accounts[draw(accounts.count)]
        let mailbox = MailboxID(sender: accounts[place], receiver: receiver)
        let body = Array("message \(random.next())".utf8)
        ledger.sent(mailbox, body, at: now)
        var effects = DeviceMachine.Effects()
        _ = members[place].machine.enqueue(body, to: receiver, &effects)
        perform(effects, place)
    }

    private mutating func connect(_ place: Int) {
        guard !members[place].isConnected else { return }
        members[place].isConnected = true
        var effects = DeviceMachine.Effects()
        members[place].machine.opened(token: "token", &effects)
        perform(effects, place)
    }

    private mutating func cut(_ place: Int) {
        guard members[place].isConnected else { return }
        // Some of what was written is still served; no answer comes.
        for _ in 0..<draw(members[place].toServer.count + 1) { serve(place) }
        members[place].isConnected = false
        members[place].toServer = []
        members[place].toDevice = []
        members[place].machine.closed()
    }

    private mutating func serve(_ place: Int) {
        guard !members[place].toServer.isEmpty else { return }
        let frame = members[place].toServer.removeFirst()
        let isRefused = !isCalm && draw(20) == 0 && frame.content?.isHello != true
        if isRefused {
            var answer = Mailbox_Client_V1_ServerFrame()
            answer.request = frame.request
            answer.refused.code = .overloaded
            members[place].toDevice.append(answer)
            return
        }
        let (answer, pushed) = server.answer(frame, of: accounts[place])
        members[place].toDevice.append(answer)
        guard let (receiver, push) = pushed,
            let target = accounts.firstIndex(of: receiver), members[target].machine.isOpen
        else { return }
        switch isCalm ? 9 : draw(10) {
        case 0: break
        case 1: members[target].toDevice += [push, push]
        case 2:
            var notice = Mailbox_Client_V1_ServerFrame()
            notice.notice.sender = draw(2) == 0 ? push.pushed.sender : ""
            notice.notice.maxSequence = push.pushed.message.sequence
            members[target].toDevice.append(notice)
        case 3:
            let early = draw(members[target].toDevice.count + 1)
            members[target].toDevice.insert(push, at: early)
        default: members[target].toDevice.append(push)
        }
    }

    private mutating func hear(_ place: Int) {
        guard !members[place].toDevice.isEmpty else { return }
        var effects = DeviceMachine.Effects()
        members[place].machine.take(members[place].toDevice.removeFirst(), &effects)
        perform(effects, place)
    }

    private mutating func perform(_ effects: DeviceMachine.Effects, _ place: Int) {
        problem = problem ?? effects.problem
        members[place].toServer += effects.frames
        for accepted in effects.accepted {
            ledger.accepted(
                MailboxID(sender: accounts[place], receiver: accepted.receiver),
                through: accepted.through, at: now)
        }
        for (sender, message, way) in effects.received {
            ledger.arrived(
                MailboxID(sender: sender, receiver: accounts[place]),
                .init(
                    device: message.device, clientSequence: message.clientSequence,
                    body: Array(message.body), way: way), at: now)
        }
        ledger.note(
            duplicates: effects.duplicates, repeated: effects.repeated,
            confirmed: effects.confirmed)
    }
}

extension DeviceMachine.Content {
    fileprivate var isHello: Bool { if case .hello = self { true } else { false } }
}
