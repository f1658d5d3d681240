import ClientWire
import Foundation
import Logging
import Mailbox
import MailboxTesting

@testable import ConnectSrv

/// The services as they are: two ConnectSrv, SendSrv, RecvSrv and two PushSrv, over the model
/// store. What stands between them and their streams is simulated; so are their sockets, clocks
/// and threads. Processes die, drain and begin anew, connections between them break.
///
/// Of RecvSrv there is what it reads with, in each ConnectSrv: it is stateless.
///
/// `@unchecked Sendable`: one thread runs a world.
final class ServicesBackend: SimulatedBackend, @unchecked Sendable {
    /// Who signs tokens, and who checks them.
    struct Keys: Sendable {
        let demo: DemoTokens
        let verifier: TokenVerifier

        init() async throws {
            demo = try await DemoTokens()
            verifier = try await TokenVerifier(keys: [demo.key])
        }
    }

    /// The largest body that devices are told of.
    static let bodyBytesTold = 1_000
    static let logger = Logger(label: "simulation") { _ in SwiftLogNoOpLogHandler() }
    let pushPlaces = 0..<2
    unowned let world: SimulatedWorld
    let keys: Keys
    private(set) var store: ModelStore
    private(set) var isStoreUp = true
    private(set) var sender: SendProcess?
    /// Streams between processes; the dead ones among them are harmless.
    var calls: [any SimulatedStream] = []
    private let thread: VirtualThread
    private var bodyBytesMaximum = ServicesBackend.bodyBytesTold
    private var pushes: [PushProcess?] = [nil, nil]
    private var connects: [ConnectProcess?] = [nil, nil]
    private var connections: [UInt64: SimulatedConnection] = [:]
    private var nextName = 0
    let mistake: SimulatedMistake?
    let notifications = SimulatedNotifications()

    init(
        _ world: SimulatedWorld, _ thread: VirtualThread, keys: Keys,
        mistake: SimulatedMistake? = nil
    ) {
        self.world = world
        self.thread = thread
        self.keys = keys
        self.mistake = mistake
        var configuration = ModelStore.Configuration(clock: world.clock)
        configuration.pageMessagesMaximum = 7
        store = ModelStore(epoch: Epoch(rawValue: 1)!, configuration: configuration)
        for place in pushPlaces { startPush(place) }
        sender = SendProcess(self)
        for place in connects.indices { startConnect(place) }
        scheduleTick()
    }

    // MARK: Processes

    @discardableResult
    func start(_ body: @escaping @Sendable () async -> Void) -> Task<Void, Never> {
        Task { await body() }
    }

    /// The PushSrv that is there now.
    func push(_ place: Int) -> PushProcess? { pushes[place] }

    private func name(_ kind: String) -> String {
        nextName += 1
        return "\(kind)-\(nextName)"
    }

    private func startPush(_ place: Int) {
        pushes[place] = PushProcess(self)
    }

    private func startConnect(_ place: Int) {
        connects[place] = ConnectProcess(self, name: name("connect"))
    }

    private func later(_ milliseconds: ClosedRange<Int64>, _ run: @escaping () -> Void) {
        world.after(world.draw(milliseconds)) { run() }
    }

    private func killSender() {
        guard let dying = sender else { return }
        sender = nil
        world.note("SendSrv dies")
        dying.die()
        later(10...3_000) { [unowned self] in
            world.note("SendSrv begins")
            sender = SendProcess(self)
        }
    }

    private func killPush(_ place: Int) {
        guard let dying = pushes[place] else { return }
        pushes[place] = nil
        world.note("PushSrv \(place) dies")
        dying.die()
        later(10...3_000) { [unowned self] in
            world.note("PushSrv \(place) begins")
            startPush(place)
        }
    }

    private func killConnect(_ place: Int) {
        guard let dying = connects[place] else { return }
        connects[place] = nil
        world.note("ConnectSrv \(place) dies")
        dying.die()
        for connection in connections.values.sorted(by: { $0.id < $1.id })
        where connection.process === dying {
            world.tellClosed(connection.id, world.draw(1...3_000))
            connection.close()
        }
        later(10...3_000) { [unowned self] in startConnect(place) }
    }

    /// Devices hear when to connect again; then the process ends.
    private func drainConnect(_ place: Int) {
        guard let draining = connects[place], !draining.isDraining else { return }
        world.note("ConnectSrv \(place) drains")
        draining.drain()
        for connection in connections.values.sorted(by: { $0.id < $1.id })
        where connection.process === draining && !connection.isClosed {
            connection.drain()
        }
        later(10_000...15_000) { [unowned self] in
            if connects[place] === draining { killConnect(place) }
        }
    }

    func restart(restoring backup: ModelStore.Backup?) {
        isStoreUp = false
        world.note("the store goes")
        notifications.noteConfirmed(store)
        if let backup {
            let epoch = Epoch(rawValue: UInt64(world.draw(2...Int64.max)))!
            store = ModelStore(restoring: backup, epoch: epoch)
            world.history.noteRestore()
        } else if world.random.chance(30) {
            // Confirmations may be lost in a crash.
            let keep = SequenceNumber(world.draw(0...50))
            store.modify { state in
                for mailbox in state.mailboxes.keys {
                    state.mailboxes[mailbox]?.forgetAcknowledgements(above: keep)
                }
            }
        }
        later(1...5_000) { [unowned self] in isStoreUp = true }
    }

    /// Half of it only processes can suffer.
    var faultsMaximum: Int64 { 60 }

    func fault() -> Bool {
        guard world.random.chance(50) else { return false }
        let place = Int(world.draw(0...1))
        switch world.draw(0...7) {
        case 0: killConnect(place)
        case 1: drainConnect(place)
        case 2: killSender()
        case 3: killPush(place)
        case 4:
            world.note("streams break")
            for call in calls where world.random.chance(50) { call.breakOff() }
        case 5:
            killSender()
            for place in pushPlaces { killPush(place) }
            for place in connects.indices { killConnect(place) }
        case 6:
            for place in pushPlaces { killPush(place) }
        default:
            let open = connections.values.filter { !$0.isClosed }.sorted { $0.id < $1.id }
            if !open.isEmpty { world.pick(open).stall(for: world.draw(100...40_000)) }
        }
        calls.removeAll { $0.isBroken }
        return true
    }

    // MARK: Messages

    func limitBodies(to bytes: Int) { bodyBytesMaximum = bytes }

    /// What the store does with one message of a batch.
    func append(
        _ append: Append, to store: ModelStore
    ) async -> Result<AppendResult, StoreError> {
        guard append.body.count <= bodyBytesMaximum else {
            return .failure(
                .messageTooLarge(bytes: append.body.count, limit: bodyBytesMaximum))
        }
        do throws(StoreError) {
            switch mistake {
            case .forgets where world.random.chance(5):
                let head = try await store.head(append.mailbox)
                return .success(
                    AppendResult(
                        sequence: head.max + 1, isDuplicate: false, durability: .commit,
                        timestampMilliseconds: world.clock.now(), epoch: try await store.epoch))
            case .storesTwice where world.random.chance(5):
                _ = try await store.append(Append(append.mailbox, body: append.body))
            default: break
            }
            return .success(try await store.append(append))
        } catch {
            return .failure(error)
        }
    }

    /// What a fetch confirms.
    func confirmed(_ mailbox: MailboxID, _ cursor: Cursor) async -> Cursor {
        guard mistake == .confirmsTooMuch, world.random.chance(20),
            let head = try? await store.head(mailbox), head.max > cursor.sequence
        else { return cursor }
        return Cursor(cursor.sequence + 1, epoch: cursor.epoch)
    }

    // MARK: Connections

    func token(for account: String) -> String {
        // What could fail is a key that was made, and a name that is one.
        (try? Address(account)).flatMap { try? keys.demo.mint($0) } ?? ""
    }

    func open(_ id: UInt64, account: String) -> Bool {
        let open = connects.compactMap { $0 }.filter { !$0.isDraining }
        guard !open.isEmpty else { return false }
        connections[id] = try? SimulatedConnection(id, world, world.pick(open))
        return connections[id] != nil
    }

    func arrive(_ frame: ClientFrame, _ id: UInt64) throws {
        guard let connection = connections[id], connection.process.isAlive else { return }
        try connection.arrive(frame)
    }

    func lose(_ id: UInt64) { connections.removeValue(forKey: id)?.close() }

    // MARK: Notifications

    var notifies: Bool { true }

    func register(_ account: Address, _ device: DeviceID) {
        notifications.register(account, device, now: world.clock.now())
    }

    func checkNotified(_ account: Address, _ device: DeviceID) throws -> Bool {
        try notifications.check(
            account, device, store, calmFrom: world.clock.now() - (world.now - world.calmFrom),
            now: world.clock.now())
    }

    // MARK: Running

    func advance(to milliseconds: Int64) { thread.setClock(milliseconds) }

    /// The loops' timers are heard of in so many milliseconds.
    private static let tick: Int64 = 20

    private func scheduleTick() {
        world.after(Self.tick) { [unowned self] in scheduleTick() }
    }

    /// Runs jobs and connections, whoever the seed chooses, until none has anything to do.
    func settle() throws {
        var idle: Set<UInt64> = []
        while true {
            let ready = connections.keys.filter { !idle.contains($0) }.sorted()
            guard thread.jobCount + ready.count > 0 else { return }
            let place = Int(world.draw(1...Int64(thread.jobCount + ready.count))) - 1
            if place < thread.jobCount {
                thread.runJob(at: place)
                idle = []
            } else {
                let id = ready[place - thread.jobCount]
                if try connections[id]?.work() == true { idle = [] } else { idle.insert(id) }
            }
        }
    }

    func end() throws {
        for connection in connections.values { connection.close() }
        connections = [:]
        sender?.die()
        for push in pushes { push?.die() }
        for connect in connects { connect?.die() }
        sender = nil
        pushes = [nil, nil]
        connects = [nil, nil]
        calls = []
        try settle()
    }
}

/// What a service may get wrong, so that the oracle must see it.
enum SimulatedMistake: CaseIterable {
    /// A message is answered as stored that is not.
    case forgets
    /// A message is stored twice.
    case storesTwice
    /// A fetch confirms what comes after its cursor.
    case confirmsTooMuch
    /// A notification is answered as sent that is not.
    case forgetsToNotify
}

/// Any `SimulatedCall`.
protocol SimulatedStream: AnyObject {
    var isBroken: Bool { get }
    func breakOff()
}
