import ClientWire
import Foundation
import Mailbox
import MailboxTesting
import Testing

@testable import ConnectSrv

/// Random frames, answers, pushes and time, against what the machine promises.
@Suite("the connection's protocol, at random")
struct ConnectionStateMachineRandomTests {
    private static let seeds: [UInt64] = {
        let count =
            ProcessInfo.processInfo.environment["MAILBOX_SEEDS"].flatMap { UInt64($0) } ?? 200
        return Array(1...max(1, count))
    }()

    @Test("keeps its invariants")
    func invariants() throws {
        for seed in Self.seeds {
            var run = Run(seed: seed)
            for _ in 0..<300 { run.step() }
            #expect(run.faults.isEmpty, "seed \(seed): \(run.faults)")
        }
    }

    private struct Run {
        var random: SeededRandom
        var machine: ConnectionStateMachine
        var now: Int64 = 0
        var nextRequest: UInt32 = 1
        /// Asked for by the device, and not answered.
        var open: Set<UInt32> = []
        /// Handed behind, and not completed.
        var performing: [UInt32] = []
        var reads: Set<UInt32> = []
        var flushed = 0
        var hasGoodbye = false
        var hasClosed = false
        var isCut = false
        var left = 0
        var welcomes = 0
        var faults: [String] = []

        init(seed: UInt64) {
            random = SeededRandom(seed: seed)
            let limits = Script.limits { limits in
                limits.connectionTraffic.requests = .init(perSecond: 50, burst: 20)
                limits.refusals = .init(perSecond: 1, burst: 30)
            }
            machine = ConnectionStateMachine(limits: limits, acceptedAt: 0)
        }

        mutating func step() {
            now += Int64(random.skewedIndex(below: 400))
            switch Int.random(in: 0..<100, using: &random) {
            case ..<40: request()
            case ..<60: complete()
            case ..<70: take(machine.push(Pushed()))
            case ..<75: take(machine.notice(sender: "bob", epoch: 1, maxSequence: 2))
            case ..<80:
                flushed += Int.random(in: 0...1, using: &random)
                take(machine.writabilityChanged(Bool.random(using: &random), now: now))
            case ..<90: take(machine.timer(now: now, flushedBytes: flushed))
            case ..<94: take(machine.receiveControl(byteCount: 3, sharedWait: nil, now: now))
            case 97: take(machine.drain(reconnectAfterMilliseconds: 1, now: now))
            case 98: if random.chance(20) { take(machine.receiveClose(now: now)) }
            case 99: if random.chance(20) { take(machine.overflowed(now: now)) }
            default: if hasClosed { take(machine.closeWritten()) }
            }
        }

        private mutating func request() {
            if welcomes == 0, random.chance(80) {
                guard case .awaitingHello = machine.state else {
                    guard let session = try? Script.session(tokenExpiresAt: now + 60_000) else {
                        return
                    }
                    return take(machine.open(session, now: now))
                }
                return take(
                    machine.receive(Script.hello(), byteCount: 1, sharedWait: nil, now: now))
            }
            nextRequest += 1
            let contents: [ClientRequest?] = [
                Script.send, Script.fetch, .ping(.init()), .refreshToken(.init()), nil,
            ]
            let content = contents[Int.random(in: 0..<contents.count, using: &random)]
            let wasOpen = machine.state == .open || !hasClosed
            if wasOpen { open.insert(nextRequest) }
            if case .fetch = content { reads.insert(nextRequest) }
            take(machine.receive(nextRequest, content, now: now))
        }

        private mutating func complete() {
            guard let place = performing.indices.randomElement(using: &random) else { return }
            let request = performing.remove(at: place)
            take(machine.complete(request, .done(.init()), now: now))
        }

        private mutating func take(_ actions: [Action]) {
            for action in actions {
                if hasClosed, action != .cut { faults.append("\(action) behind the close") }
                switch action {
                case .write(let frame): written(frame)
                case .perform(let request, _):
                    // A read that waited when the drain began is still in flight.
                    if hasGoodbye, !reads.contains(request) {
                        faults.append("performed behind the goodbye")
                    }
                    performing.append(request)
                case .verify(let request, _): performing.append(request)
                case .leave: left += 1
                case .close: hasClosed = true
                case .cut:
                    if isCut { faults.append("cut twice") }
                    isCut = true
                case .ping, .authenticate: break
                }
            }
            check()
        }

        private mutating func written(_ frame: ServerFrame) {
            switch frame.content {
            case .goodbye:
                if hasGoodbye, machine.state == .open { faults.append("open behind goodbye") }
                hasGoodbye = true
            case .welcome where welcomes == 0: welcomes += 1
            case .pushed, .notice:
                if hasGoodbye { faults.append("a push behind the goodbye") }
            default:
                if open.remove(frame.request) == nil {
                    faults.append("request \(frame.request) answered twice, or never asked")
                }
            }
        }

        private mutating func check() {
            if machine.inFlight.count > machine.limits.requestsInFlightMaximum {
                faults.append("too many in flight")
            }
            if machine.readsInFlight > machine.limits.readsInFlightMaximum {
                faults.append("too many reads")
            }
            if left > welcomes { faults.append("left more often than welcomed") }
            if !isCut, machine.nextDeadline == nil { faults.append("nothing ends it") }
        }
    }
}
