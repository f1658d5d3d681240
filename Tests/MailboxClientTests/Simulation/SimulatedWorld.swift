import ClientWire
import Foundation
import Mailbox
import MailboxTesting
import SwiftProtobuf

@testable import MailboxClient

/// Clients, a server and the network between them, under one clock that stands still but for its
/// events: a seed decides everything.
///
/// `@unchecked Sendable`: one thread runs a world, whatever its tasks are told.
final class SimulatedWorld: @unchecked Sendable {
    /// What may go wrong.
    struct Faults {
        var poison = false
        var serverRestores = false
        var noticedCopies = false
        var forks = false
        var unnoticedCopies = false

        /// Which combinations the guarantees cover: docs/CLIENT.md says what breaks them.
        init(seed: UInt64) {
            switch seed % 5 {
            case 0: poison = true
            case 1: serverRestores = true
            case 2: (poison, serverRestores) = (true, true)
            case 3: (noticedCopies, forks) = (true, true)
            default: unnoticedCopies = true
            }
        }
    }

    private struct Event {
        let time: Int64
        let order: Int
        let isServers: Bool
        let run: () throws -> Void
    }

    let seed: UInt64
    let faults: Faults
    var random: SeededRandom
    let clock = ManualClock()
    private(set) var now: Int64 = 0
    private var order = 0
    private var queue: [Event] = []
    private(set) var server: (any SimulatedBackend)!
    var clients: [SimulatedClient] = []
    var history = SimulatedHistory()
    /// Until then things go wrong.
    let calmFrom: Int64
    private var backup: ModelStore.Backup?
    private var nextConnection: UInt64 = 1
    private var nextMessage = 0
    private let without: Set<Int>
    /// How many things are sent and go wrong, with those that are left out.
    private(set) var itemCount = 0
    /// Of all frames, with their times: two runs of a seed have the same one.
    private(set) var digest: UInt64 = 0xCBF2_9CE4_8422_2325
    /// How far the wall clock is off.
    private var wallJump: Int64 = 0
    static let accounts = ["anna", "bert", "carl"]

    /// - Parameters:
    ///   - seed: decides everything.
    ///   - without: what is left out of what would be sent, and would go wrong, by its number: so a
    ///     seed that fails is made small.
    ///   - backend: what the clients' server is.
    init(
        seed: UInt64, without: Set<Int> = [],
        backend: (SimulatedWorld) throws -> any SimulatedBackend = { ModelBackend($0) }
    ) throws {
        self.seed = seed
        self.without = without
        faults = Faults(seed: seed)
        random = SeededRandom(seed: seed)
        calmFrom = Int64.random(in: 20_000...90_000, using: &random)
        server = try backend(self)
        // What a server took, lost in a restore and refuses then is beyond what is guaranteed.
        if faults.poison && faults.serverRestores { server.limitBodies(to: 300) }
        for (index, account) in Self.accounts.enumerated() {
            for _ in 0..<(index < 2 && random.chance(40) ? 2 : 1) {
                try addClient(account)
            }
        }
    }

    func pick<Value>(_ values: [Value]) -> Value { values.randomElement(using: &random)! }
    func draw(_ range: ClosedRange<Int64>) -> Int64 { Int64.random(in: range, using: &random) }

    /// Whether things still go wrong.
    var isTroubled: Bool { now < calmFrom }

    func after(_ delay: Int64, _ run: @escaping () throws -> Void) {
        add(delay, isServers: false, run)
    }

    /// Something of the server's tasks: it happens also when the world ends, so that they can end.
    func serverAfter(_ delay: Int64, _ run: @escaping () -> Void) {
        add(delay, isServers: true, run)
    }

    private func add(_ delay: Int64, isServers: Bool, _ run: @escaping () throws -> Void) {
        order += 1
        let event = Event(time: now + delay, order: order, isServers: isServers, run: run)
        // A heap: the earliest is at the front.
        queue.append(event)
        var child = queue.count - 1
        while child > 0, Self.isEarlier(queue[child], queue[(child - 1) / 2]) {
            queue.swapAt(child, (child - 1) / 2)
            child = (child - 1) / 2
        }
    }

    private static func isEarlier(_ a: Event, _ b: Event) -> Bool {
        (a.time, a.order) < (b.time, b.order)
    }

    private func popEvent() -> Event? {
        guard !queue.isEmpty else { return nil }
        queue.swapAt(0, queue.count - 1)
        let event = queue.removeLast()
        var parent = 0
        while true {
            var least = parent
            for child in [2 * parent + 1, 2 * parent + 2] where child < queue.count {
                if Self.isEarlier(queue[child], queue[least]) { least = child }
            }
            if least == parent { break }
            queue.swapAt(parent, least)
            parent = least
        }
        return event
    }

    // MARK: Running

    /// Runs until everything has arrived.
    ///
    /// - Throws: what the oracle found, or that things do not come to rest.
    func run() throws {
        scheduleTraffic()
        scheduleFaults()
        scheduleAbsence()
        for client in clients { try take(.start, client) }
        var nextCheck = calmFrom
        while let event = popEvent() {
            clock.advance(event.time - now)
            now = event.time
            try server.advance(to: now)
            try event.run()
            try server.settle()
            guard now >= nextCheck else { continue }
            if now >= calmFrom + 2_000, try isAtRest() { return try history.check(self) }
            guard now < calmFrom + 600_000 else { break }
            nextCheck = now + 1_000
        }
        let states = clients.map {
            "\($0.account).\($0.slot): \($0.core.session.state), \($0.core.waitingCount) wait"
        }
        throw SimulationFailure("does not come to rest at \(now): \(states)")
    }

    /// Lets the server end, after a run, whatever came of it.
    func end() throws {
        try server.end()
        while let event = popEvent() {
            guard event.isServers else { continue }
            try event.run()
            try server.settle()
        }
    }

    private func isAtRest() throws -> Bool {
        let epoch = server.store.inspect { $0.epoch.rawValue }
        for client in clients {
            let core = client.core
            guard core.session.state == .connected, core.waitingCount == 0 else { return false }
            guard let link = core.link, link.isWelcome, link.requests.isEmpty else { return false }
            guard link.epoch == epoch else { return false }
            guard !link.needsSync, link.receivingWork.isEmpty else { return false }
            // The queue of an account's second device may hold what the first confirmed.
        }
        return server.store.inspect { state in
            state.mailboxes.values.allSatisfy { $0.acknowledged == $0.max }
        }
    }

    private func scheduleTraffic() {
        for _ in 0..<Int(draw(15...60)) {
            let time = draw(0...calmFrom)
            schedule(time) { [unowned self] in
                let client = pick(clients)
                let count = random.chance(20) ? Int(draw(2...12)) : 1
                let receiver = pick(Self.accounts)
                let isPoison = faults.poison && random.chance(8)
                try send(count, from: client, to: receiver, isPoison: isPoison)
            }
        }
    }

    /// Something that a smaller run may leave out.
    private func schedule(_ time: Int64, _ run: @escaping () throws -> Void) {
        itemCount += 1
        if !without.contains(itemCount) { after(time, run) }
    }

    private func send(
        _ count: Int, from client: SimulatedClient, to receiver: String, isPoison: Bool
    ) throws {
        var messages: [(peer: Address, body: Data)] = []
        var bodies: [String] = []
        for index in 0..<count {
            nextMessage += 1
            var body = "\(client.account).\(client.slot).\(nextMessage)"
            bodies.append(body)
            // Larger than the server takes, not larger than it says.
            let isLarge = isPoison && index == count / 2
            body += "#" + String(repeating: "#", count: isLarge ? 600 : Int(draw(0...20)))
            messages.append((try Address(receiver), Data(body.utf8)))
        }
        let (ids, outputs) = try client.core.save(messages, now: now, wall: wall)
        for (id, body) in zip(ids, bodies) {
            let isLarge = isPoison && body == bodies[count / 2]
            history.save(body, to: receiver, row: id, isPoison: isLarge, by: client)
        }
        try perform(outputs, client)
        schedule(client)
    }

    var wall: Int64 { clock.now() + wallJump }

    // MARK: Clients

    private func addClient(_ account: String) throws {
        let slot = clients.count
        clients.append(
            try SimulatedClient(account: account, slot: slot, seed: seed &* 1_000 &+ UInt64(slot)))
    }

    func take(_ input: ClientCore.Input, _ client: SimulatedClient) throws {
        if client.isAway, case .start = input { return }
        let outputs = client.core.handle(input, now: now, wall: wall)
        if isTroubled, random.nextIsOneOf(700) {
            // It dies after its transaction, before anything leaves.
            return try restart(client)
        }
        try perform(outputs, client)
        schedule(client)
    }

    private func schedule(_ client: SimulatedClient) {
        guard let deadline = client.core.deadline else { return }
        let life = client.life
        after(max(1, deadline - now)) { [unowned self] in
            guard client.life == life, let due = client.core.deadline, due <= now else { return }
            try take(.tick, client)
        }
    }

    private func later(
        _ delay: Int64, _ client: SimulatedClient, _ input: ClientCore.Input
    ) {
        let life = client.life
        after(delay) { [unowned self] in
            if client.life == life { try take(input, client) }
        }
    }

    private func perform(_ outputs: [ClientCore.Output], _ client: SimulatedClient) throws {
        for output in outputs {
            switch output {
            case .requestToken:
                later(
                    draw(0...50), client,
                    .token(
                        random.chance(2) && isTroubled ? nil : server.token(for: client.account)))
            case .open(let connection): open(connection, client)
            case .send(let connection, let frame):
                if let id = client.connections[connection] { toServer(frame, id) }
            case .close(let connection):
                if let id = client.connections.removeValue(forKey: connection) {
                    let isSilent = random.chance(50)
                    after(draw(1...(isSilent ? 20_000 : 50))) { [unowned self] in
                        server.lose(id)
                    }
                }
            case .event(let event):
                history.note(event, client)
                if case .connection(.replaced) = event {
                    later(draw(500...3_000), client, .start)
                }
            case .outgoing(let id, let state): history.settle(id, state, client)
            }
        }
    }

    private func open(_ connection: UInt64, _ client: SimulatedClient) {
        if isTroubled, random.chance(15) {
            // Nobody answers, or it is refused.
            if random.chance(50) { later(draw(1...100), client, .closed(connection)) }
            return
        }
        if let account = try? Address(client.account), let device = try? client.deviceName() {
            server.register(account, device)
        }
        let id = nextConnection
        guard server.open(id, account: client.account) else {
            return later(draw(1...100), client, .closed(connection))
        }
        nextConnection += 1
        client.connections[connection] = id
        arrivals[id] = now
        owners[id] = (client, client.life, connection)
        later(draw(1...100), client, .opened(connection))
    }

    // MARK: The network

    private var arrivals: [UInt64: Int64] = [:]
    private var departures: [UInt64: Int64] = [:]
    private var owners: [UInt64: (client: SimulatedClient, life: Int, connection: UInt64)] = [:]
    /// Connections that carry nothing any more, and nobody was told.
    private var deadConnections: Set<UInt64> = []

    private func toServer(_ frame: ClientFrame, _ id: UInt64) {
        guard !deadConnections.contains(id) else { return }
        let time = max(arrivals[id] ?? now, now + draw(1...60))
        arrivals[id] = time
        after(time - now) { [unowned self] in
            guard !deadConnections.contains(id) else { return }
            note(frame, id)
            try server.arrive(frame, id)
        }
    }

    /// Answers come in any order; only a welcome is first.
    func toClient(_ frame: ServerFrame, _ id: UInt64) {
        after(draw(1...80)) { [unowned self] in
            guard let owner = owners[id], !deadConnections.contains(id) else { return }
            guard owner.client.life == owner.life else { return }
            note(frame, id)
            var frames = [frame]
            if random.chance(2) { frames.append(frame) }
            try take(.frames(owner.connection, frames), owner.client)
        }
    }

    /// As `toClient`, on a connection that keeps the order of what goes over it.
    func toClientInOrder(_ frame: ServerFrame, _ id: UInt64) {
        inOrder(id) { [unowned self] in
            guard let owner = owners[id], owner.client.life == owner.life else { return }
            note(frame, id)
            try take(.frames(owner.connection, [frame]), owner.client)
        }
    }

    /// Runs something when it has come from the server over a connection, behind everything else
    /// that did; never when the connection carries nothing.
    func inOrder(_ id: UInt64, _ run: @escaping () throws -> Void) {
        let time = max(departures[id] ?? now, now + draw(1...60))
        departures[id] = time
        after(time - now) { [unowned self] in
            if !deadConnections.contains(id) { try run() }
        }
    }

    /// Whether a connection carries anything.
    func isAlive(_ id: UInt64) -> Bool { !deadConnections.contains(id) }

    /// Whether all frames are to be told of a world that fails.
    private static let tellsFrames = ProcessInfo.processInfo.environment["STORY"] != nil

    private func note(_ frame: some SwiftProtobuf.Message, _ id: UInt64) {
        if Self.tellsFrames {
            let owner = owners[id].map { "\($0.client.account).\($0.client.slot)" } ?? ""
            let text = frame.textFormatString().replacing("\n", with: " ")
            history.note("\(now) \(owner) \(id): \(text)")
        }
        let bytes: [UInt8] = (try? frame.serializedBytes()) ?? []
        for byte in withUnsafeBytes(of: now, Array.init) + bytes {
            digest = (digest ^ UInt64(byte)) &* 0x100_0000_01B3
        }
    }

    /// Something to be told of a world that fails.
    func note(_ event: String) {
        if Self.tellsFrames { history.note("\(now) \(event)") }
    }

    /// Both ends hear that a connection is gone.
    func tellClosed(_ id: UInt64, _ delay: Int64) {
        after(delay) { [unowned self] in
            server.lose(id)
            guard let owner = owners[id], owner.client.life == owner.life else { return }
            try take(.closed(owner.connection), owner.client)
        }
    }

    // MARK: Absence

    /// How long a device is away after things went wrong for the last time.
    private static let absence: Int64 = 90_000

    /// One device may be away for so long that it must be notified of what it misses.
    private func scheduleAbsence() {
        guard server.notifies, random.chance(40) else { return }
        let client = pick(clients)
        schedule(draw(calmFrom / 4...calmFrom)) { [unowned self] in try leave(client) }
    }

    private func leave(_ client: SimulatedClient) throws {
        let account = try Address(client.account)
        let device = try client.deviceName()
        client.isAway = true
        note("\(client.account).\(client.slot) leaves")
        if random.chance(50) {
            try take(.stop, client)
        } else {
            try restart(client)
        }
        after(calmFrom + Self.absence - now) { [unowned self] in
            // What became of a name that the device has given up is nobody's business.
            if try client.deviceName() == device, try server.checkNotified(account, device) {
                history.noteNotified(account)
            }
            client.isAway = false
            try take(.start, client)
        }
    }

    // MARK: Faults

    private func scheduleFaults() {
        for _ in 0..<Int(draw(4...server.faultsMaximum)) {
            schedule(draw(0...calmFrom)) { [unowned self] in try fault() }
        }
    }

    private func restart(_ client: SimulatedClient) throws {
        loseConnections(client)
        try client.restart()
        later(draw(1...3_000), client, .start)
    }

    private func loseConnections(_ client: SimulatedClient) {
        for id in client.connections.values.sorted() {
            after(draw(1...20_000)) { [unowned self] in server.lose(id) }
        }
    }

    private func fault() throws {
        if server.fault() { return }
        let client = pick(clients)
        switch draw(0...11) {
        case 0, 1:
            // Cut: both hear of it, at different times; what is under way arrives or not.
            for id in client.connections.values.sorted() {
                if random.chance(50) { deadConnections.insert(id) }
                tellClosed(id, draw(1...2_000))
            }
        case 2, 3:
            // Half-open: nobody hears of it.
            deadConnections.formUnion(client.connections.values)
        case 4: try restart(client)
        case 5: try take(.networkChanged, client)
        case 6: wallJump += pick([-86_400_000, 86_400_000, -3_000, 3_000])
        case 7: server.restart(restoring: nil)
        case 8:
            if faults.serverRestores {
                if backup == nil || random.chance(50) {
                    backup = server.store.backup()
                } else {
                    server.restart(restoring: backup)
                }
            }
        case 9:
            if faults.poison, !faults.serverRestores {
                server.limitBodies(to: 300)
                let end = min(calmFrom, now + draw(1...40_000))
                after(end - now) { [unowned self] in server.limitBodies(to: 1_000) }
            }
        case 10: try copy(client)
        default: server.store.modify { _ = try? $0.compact(.unacknowledged, now: self.clock.now()) }
        }
    }

    private func copy(_ client: SimulatedClient) throws {
        guard faults.noticedCopies || faults.unnoticedCopies else { return }
        if client.copy == nil || random.chance(30) {
            client.copy = (try client.database.copyInMemory(), client.saved.count)
        } else if faults.forks, clients.count < 7, random.chance(40), let copy = client.copy {
            let fork = try SimulatedClient(
                account: client.account, slot: clients.count,
                seed: seed &* 1_000 &+ UInt64(clients.count), copyOf: copy.queue)
            client.copy = nil
            history.fork(client, fork, savedCount: copy.savedCount)
            clients.append(fork)
            later(draw(1...3_000), fork, .start)
        } else {
            try history.keepReceived(of: client)
            loseConnections(client)
            history.lose(try client.restore(isNoticed: faults.noticedCopies), client)
            later(draw(1...3_000), client, .start)
        }
    }
}

extension SeededRandom {
    /// True once in `count` times.
    mutating func nextIsOneOf(_ count: Int) -> Bool { Int.random(in: 0..<count, using: &self) == 0 }
}
