import ClientWire
import Mailbox
import Testing

@testable import ConnectSrv

typealias Action = ConnectionStateMachine.Action

/// Builds frames and machines for the tests of the protocol.
enum Script {
    static func limits(_ change: (inout ConnectLimits) -> Void = { _ in }) -> ConnectLimits {
        var limits = ConnectLimits()
        limits.requestsInFlightMaximum = 4
        limits.readsInFlightMaximum = 2
        limits.handshakeMaximum = .milliseconds(1_000)
        limits.heartbeat = .milliseconds(1_000)
        limits.outgoingStallMaximum = .milliseconds(3_000)
        limits.drainMaximum = .milliseconds(2_000)
        limits.closeMaximum = .milliseconds(500)
        limits.noticesMaximum = 2
        change(&limits)
        return limits
    }

    static func session(
        tokenExpiresAt: Int64 = 1_000_000, number: UInt64 = 7
    ) throws -> ConnectionStateMachine.Session {
        ConnectionStateMachine.Session(
            account: try Address("anna"), device: try DeviceID("phone"), number: number, epoch: 9,
            bodyBytesMaximum: 1_000, tokenExpiresMilliseconds: 5_000,
            tokenExpiresAt: tokenExpiresAt)
    }

    static func frame(_ request: UInt32, _ content: ClientRequest?) -> ClientFrame {
        var frame = ClientFrame()
        frame.request = request
        frame.content = content
        return frame
    }

    static func hello(_ device: String = "phone") -> ClientFrame {
        var hello = Hello()
        hello.token = "t"
        hello.device = device
        return frame(1, .hello(hello))
    }

    static let send = ClientRequest.send(.init())
    static let fetch = ClientRequest.fetch(.init())

    /// A machine whose device was welcomed at 0.
    static func opened(
        _ limits: ConnectLimits = limits(), tokenExpiresAt: Int64 = 1_000_000, number: UInt64 = 7
    ) throws -> ConnectionStateMachine {
        var machine = ConnectionStateMachine(limits: limits, acceptedAt: 0)
        _ = machine.receive(hello(), byteCount: 1, sharedWait: nil, now: 0)
        _ = machine.open(try session(tokenExpiresAt: tokenExpiresAt, number: number), now: 0)
        return machine
    }
}

extension ConnectionStateMachine {
    mutating func receive(
        _ request: UInt32, _ content: ClientRequest?, now: Int64 = 0
    ) -> [Action] {
        receive(Script.frame(request, content), byteCount: 10, sharedWait: nil, now: now)
    }
}

extension [Action] {
    var goodbye: GoodbyeReason? {
        for case .write(let frame) in self {
            if case .goodbye(let goodbye) = frame.content { return goodbye.reason }
        }
        return nil
    }

    var closeCode: UInt16? {
        for case .close(let code) in self { return code }
        return nil
    }

    var refusal: RefusalCode? {
        for case .write(let frame) in self {
            if case .refused(let refused) = frame.content { return refused.code }
        }
        return nil
    }

    var performed: [UInt32] {
        compactMap { if case .perform(let request, _) = $0 { request } else { nil } }
    }
}

@Suite("the connection's protocol")
struct ConnectionStateMachineTests {
    @Test("hello, authentication, welcome")
    func hello() throws {
        var machine = ConnectionStateMachine(limits: Script.limits(), acceptedAt: 0)
        let asked = machine.receive(Script.hello(), byteCount: 1, sharedWait: nil, now: 0)
        guard case .authenticate(let hello)? = asked.first, asked.count == 1 else {
            Issue.record("\(asked)")
            return
        }
        #expect(hello.device == "phone")
        let opened = machine.open(try Script.session(), now: 1)
        guard case .write(let frame)? = opened.first, case .welcome(let welcome) = frame.content
        else {
            Issue.record("\(opened)")
            return
        }
        #expect(frame.request == 1)
        #expect(welcome.account == "anna")
        #expect(welcome.session == 7)
        #expect(welcome.epoch == 9)
        #expect(welcome.requestsInFlightMaximum == 4)
        #expect(machine.open(try Script.session(), now: 2).isEmpty)
    }

    /// What must not come first, or not yet, or not again: each ends the connection.
    enum OutOfTurn: String, CaseIterable, Sendable {
        case sendFirst, numberlessHello, longDevice, longProgram, secondHello, whileAuthenticating
        case numberlessRequest, requestInFlight
    }

    @Test("frames out of turn end the connection", arguments: OutOfTurn.allCases)
    func outOfTurn(_ fault: OutOfTurn) throws {
        var machine = ConnectionStateMachine(limits: Script.limits(), acceptedAt: 0)
        let actions: [Action]
        switch fault {
        case .sendFirst: actions = machine.receive(1, Script.send)
        case .numberlessHello:
            actions = machine.receive(0, Script.hello().content)
        case .longDevice:
            actions = machine.receive(1, Script.hello(String(repeating: "x", count: 65)).content)
        case .longProgram:
            var frame = Script.hello()
            frame.hello.program = String(repeating: "x", count: 129)
            actions = machine.receive(1, frame.content)
        case .whileAuthenticating:
            _ = machine.receive(1, Script.hello().content)
            actions = machine.receive(2, Script.send)
        case .secondHello:
            machine = try Script.opened()
            actions = machine.receive(2, Script.hello().content)
        case .numberlessRequest:
            machine = try Script.opened()
            actions = machine.receive(0, Script.send)
        case .requestInFlight:
            machine = try Script.opened()
            #expect(machine.receive(2, Script.send).performed == [2])
            actions = machine.receive(2, Script.send)
        }
        #expect(actions.goodbye == .protocol)
        #expect(actions.closeCode == 1002)
        #expect(machine.receive(3, Script.send).isEmpty)
    }

    @Test("sends go behind in their order, and are answered in any")
    func sends() throws {
        var machine = try Script.opened()
        #expect(machine.receive(2, Script.send).performed == [2])
        #expect(machine.receive(3, Script.send).performed == [3])
        #expect(
            machine.complete(3, .done(.init()), now: 0)
                == [.write(ServerFrame(3, .done(.init())))])
        #expect(
            machine.complete(2, .done(.init()), now: 0)
                == [.write(ServerFrame(2, .done(.init())))])
        #expect(machine.complete(2, .done(.init()), now: 0).isEmpty)
    }

    @Test("more requests than may wait are refused, and changed nothing")
    func inFlight() throws {
        var machine = try Script.opened()
        for request in 2...5 { #expect(machine.receive(UInt32(request), Script.send).count == 1) }
        #expect(machine.receive(6, Script.send).refusal == .overloaded)
        _ = machine.complete(2, .done(.init()), now: 0)
        #expect(machine.receive(6, Script.send).performed == [6])
    }

    @Test("reads wait for one another, and for a device that is behind")
    func reads() throws {
        var machine = try Script.opened()
        #expect(machine.receive(2, Script.fetch).performed == [2])
        #expect(machine.receive(3, Script.fetch).performed == [3])
        #expect(machine.receive(4, Script.fetch).isEmpty)
        #expect(machine.complete(2, .messages(.init()), now: 0).performed == [4])
        #expect(machine.writabilityChanged(false, now: 1).isEmpty)
        #expect(!machine.wantsInput)
        #expect(machine.receive(5, Script.fetch).isEmpty)
        #expect(machine.complete(3, .messages(.init()), now: 0).performed.isEmpty)
        #expect(machine.writabilityChanged(true, now: 2).performed == [5])
    }

    @Test("an unknown request is refused; an unknown frame without a number is passed over")
    func unknown() throws {
        var machine = try Script.opened()
        #expect(machine.receive(2, nil).refusal == .invalidArgument)
        #expect(machine.receive(0, nil).isEmpty)
    }

    @Test("a request beyond its rate is refused; one who goes on is ended")
    func rate() throws {
        let limits = Script.limits { limits in
            limits.connectionTraffic.requests = .init(perSecond: 1, burst: 2)
            limits.refusals = .init(perSecond: 0.001, burst: 3)
        }
        var machine = try Script.opened(limits)
        let ping = ClientRequest.ping(.init())
        for request in 2...3 { #expect(machine.receive(UInt32(request), ping).refusal == nil) }
        for request in 4...6 {
            #expect(machine.receive(UInt32(request), ping).refusal == .overloaded)
        }
        let end = machine.receive(7, ping)
        #expect(end.goodbye == .overloaded)
        #expect(end.closeCode == 1013)
    }

    @Test("what account or address must wait for is refused, too")
    func sharedRate() throws {
        var machine = try Script.opened()
        let actions = machine.receive(
            Script.frame(2, Script.send), byteCount: 1, sharedWait: 40, now: 0)
        guard case .write(let frame)? = actions.first else {
            Issue.record("\(actions)")
            return
        }
        #expect(frame.refused.code == .overloaded)
        #expect(frame.refused.retryAfterMilliseconds == 40)
    }

    @Test("a device that is behind gets notices instead of pushes, one for each sender")
    func coalesced() throws {
        var machine = try Script.opened()
        var pushed = Pushed()
        pushed.sender = "bob"
        pushed.epoch = 9
        pushed.message.sequence = 1
        #expect(machine.push(pushed) == [.write(ServerFrame(0, .pushed(pushed)))])
        _ = machine.writabilityChanged(false, now: 0)
        for sequence in 2...5 {
            pushed.message.sequence = UInt32(sequence)
            #expect(machine.push(pushed).isEmpty)
        }
        #expect(machine.notice(sender: "eve", epoch: 9, maxSequence: 3).isEmpty)
        let notices = machine.writabilityChanged(true, now: 1).compactMap { action in
            if case .write(let frame) = action { frame.notice } else { nil }
        }
        #expect(notices.map(\.sender) == ["bob", "eve"])
        #expect(notices.map(\.maxSequence) == [5, 3])
        _ = machine.writabilityChanged(false, now: 2)
        for sender in ["a", "b", "c", "d"] {
            _ = machine.notice(sender: sender, epoch: 9, maxSequence: 1)
        }
        #expect(
            machine.writabilityChanged(true, now: 3) == [.write(ServerFrame(0, .notice(.init())))])
    }

    @Test("a body too large to be pushed becomes a notice")
    func large() throws {
        var machine = try Script.opened(Script.limits { $0.pushBodyBytesMaximum = 3 })
        var pushed = Pushed()
        pushed.sender = "bob"
        pushed.message.sequence = 4
        pushed.message.body = .init([1, 2, 3, 4])
        guard case .write(let frame)? = machine.push(pushed).first else {
            Issue.record("nothing was written")
            return
        }
        #expect(frame.notice.sender == "bob")
        #expect(frame.notice.maxSequence == 4)
    }

    @Test("a refused token leaves the connection as it is; a new one renews its expiry")
    func refresh() throws {
        var machine = try Script.opened(tokenExpiresAt: 500)
        #expect(
            machine.receive(2, .refreshToken(.init()))
                == [.verify(request: 2, token: "")])
        let refused = machine.refresh(
            2, .failure(.init(code: .forbidden, message: "")), now: 0)
        #expect(refused.refusal == .forbidden)
        #expect(machine.nextDeadline == 500)
        _ = machine.receive(3, .refreshToken(.init()))
        _ = machine.refresh(3, .success(try Script.session(tokenExpiresAt: 900)), now: 0)
        #expect(machine.timer(now: 500, flushedBytes: 0).isEmpty)
        #expect(machine.nextDeadline == 900)
        let end = machine.timer(now: 900, flushedBytes: 0)
        #expect(end.goodbye == .unauthenticated)
        #expect(end.first == .leave)
    }
}

@Suite("the connection's end")
struct ConnectionEndTests {
    @Test("a device that says no hello in time is ended")
    func noHello() {
        var machine = ConnectionStateMachine(limits: Script.limits(), acceptedAt: 0)
        #expect(machine.nextDeadline == 1_000)
        #expect(machine.timer(now: 999, flushedBytes: 0).isEmpty)
        #expect(machine.timer(now: 1_000, flushedBytes: 0).goodbye == .idle)
    }

    @Test("services that do not answer a hello in time end it")
    func noWelcome() {
        var machine = ConnectionStateMachine(limits: Script.limits(), acceptedAt: 0)
        _ = machine.receive(Script.hello(), byteCount: 1, sharedWait: nil, now: 0)
        #expect(machine.timer(now: 1_000, flushedBytes: 0).goodbye == .internal)
    }

    @Test("a quiet connection is pinged, and ended when it stays quiet; any sign of life is one")
    func heartbeat() throws {
        // Session 7 is pinged 7 ms earlier than the heartbeat says.
        var machine = try Script.opened()
        #expect(machine.nextDeadline == 993)
        #expect(machine.timer(now: 992, flushedBytes: 0).isEmpty)
        #expect(machine.timer(now: 993, flushedBytes: 0) == [.ping])
        #expect(machine.nextDeadline == 1_993)
        #expect(machine.receiveControl(byteCount: 0, sharedWait: nil, now: 1_500).isEmpty)
        #expect(machine.nextDeadline == 2_493)
        #expect(machine.timer(now: 2_493, flushedBytes: 0) == [.ping])
        #expect(machine.timer(now: 3_492, flushedBytes: 0).isEmpty)
        let end = machine.timer(now: 3_493, flushedBytes: 0)
        #expect(end.goodbye == .idle)
        #expect(end.closeCode == 4_008)
    }

    @Test("sessions that begin together are pinged apart, within a quarter of the heartbeat")
    func heartbeatsApart() throws {
        var deadlines: Set<Int64> = []
        for number in 1...1_000 as ClosedRange<UInt64> {
            deadlines.insert(try #require(Script.opened(number: number &* 7_919).nextDeadline))
        }
        #expect(deadlines.min()! >= 750 && deadlines.max()! <= 1_000)
        #expect(deadlines.count > 200)
    }

    @Test("a device that takes nothing is ended; one that takes little is not")
    func stall() throws {
        var machine = try Script.opened()
        _ = machine.writabilityChanged(false, now: 0)
        #expect(machine.nextDeadline == 3_000)
        #expect(machine.timer(now: 3_000, flushedBytes: 10).isEmpty)
        #expect(machine.timer(now: 6_000, flushedBytes: 11).isEmpty)
        let end = machine.timer(now: 9_000, flushedBytes: 11)
        #expect(end.goodbye == .slow)
        #expect(end.closeCode == 4_007)
    }

    @Test("a drain refuses requests, finishes answers, then closes")
    func drain() throws {
        var machine = try Script.opened()
        #expect(machine.receive(2, Script.send).performed == [2])
        let drained = machine.drain(reconnectAfterMilliseconds: 30, now: 0)
        #expect(drained.goodbye == .shutdown)
        #expect(drained.first == .leave)
        #expect(drained.closeCode == nil)
        #expect(machine.receive(3, Script.send).refusal == .unavailable)
        #expect(machine.push(Pushed()).isEmpty)
        #expect(
            machine.complete(2, .done(.init()), now: 1)
                == [.write(ServerFrame(2, .done(.init()))), .close(1001)])
    }

    @Test("a drain ends when answers do not come")
    func drainTimeout() throws {
        var machine = try Script.opened()
        _ = machine.receive(2, Script.send)
        _ = machine.drain(reconnectAfterMilliseconds: 0, now: 0)
        #expect(machine.timer(now: 2_000, flushedBytes: 0).closeCode == 1001)
    }

    @Test("a drain of an idle connection closes at once")
    func idleDrain() throws {
        var machine = try Script.opened()
        #expect(machine.drain(reconnectAfterMilliseconds: 0, now: 0).closeCode == 1001)
    }

    @Test("the transport is cut when both sides closed, or after a time")
    func close() throws {
        var machine = try Script.opened()
        #expect(machine.receiveClose(now: 0) == [.leave, .close(1000)])
        #expect(machine.closeWritten() == [.cut])
        machine = try Script.opened()
        _ = machine.end(Ending(.replaced, ""), 0)
        #expect(machine.closeWritten().isEmpty)
        #expect(machine.receiveClose(now: 1) == [.cut])
        machine = try Script.opened()
        _ = machine.end(Ending(.replaced, ""), 0)
        #expect(machine.nextDeadline == 500)
        #expect(machine.timer(now: 500, flushedBytes: 0) == [.cut])
        #expect(machine.nextDeadline == nil)
    }

    @Test("a transport that is gone ends the session, once")
    func disconnected() throws {
        var machine = try Script.opened()
        #expect(machine.disconnected() == [.leave])
        #expect(machine.disconnected().isEmpty)
        #expect(machine.nextDeadline == nil)
    }

    @Test(
        "each reason has its close code",
        arguments: zip(
            [
                GoodbyeReason.done, .shutdown, .replaced, .unauthenticated, .protocol,
                .overloaded, .slow, .idle, .internal,
            ],
            [1000, 1001, 4003, 4004, 1002, 1013, 4007, 4008, 1011] as [UInt16]))
    func codes(_ reason: GoodbyeReason, _ code: UInt16) {
        #expect(Ending(reason, "").closeCode == code)
    }
}
