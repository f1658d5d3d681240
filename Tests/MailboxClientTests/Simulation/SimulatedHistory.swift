import Mailbox

@testable import MailboxClient

/// What the oracle, or the world, has to say.
struct SimulationFailure: Error, CustomStringConvertible {
    let description: String
    init(_ description: String) { self.description = description }
}

/// What was promised, kept outside of the clients and the server: FAILURES' oracle.
struct SimulatedHistory {
    struct Entry {
        let receiver: String
        let account: String
        let slot: Int
        let number: Int
        /// Larger than the server takes at times.
        let isPoison: Bool
        var isAccepted = false
        var isRefused = false
        /// The database that had it was overwritten by an older copy of itself.
        var isLost = false
    }

    private(set) var entries: [String: Entry] = [:]
    /// Rows of databases, by the slot that they belong to.
    private var rows: [Int: [Int64: String]] = [:]
    /// What databases had received that were overwritten: by account.
    private var kept: [String: [SimulatedClient.Received]] = [:]
    private(set) var restoreCount = 0
    private(set) var renewalCount = 0
    /// Devices that were away, and were told of what waited for them.
    private(set) var notifiedCount = 0
    private(set) var events: [String] = []

    mutating func save(
        _ body: String, to receiver: String, row: Int64, isPoison: Bool,
        by client: SimulatedClient
    ) {
        entries[body] = Entry(
            receiver: receiver, account: client.account, slot: client.slot,
            number: entries.count, isPoison: isPoison)
        rows[client.slot, default: [:]][row] = body
        client.saved.append(body)
    }

    mutating func settle(_ row: Int64, _ state: OutgoingState, _ client: SimulatedClient) {
        guard let body = rows[client.slot]?[row] else { return }
        switch state {
        case .accepted: entries[body]?.isAccepted = true
        case .refused: entries[body]?.isRefused = true
        case .saved: break
        }
    }

    mutating func note(_ event: ClientEvent, _ client: SimulatedClient) {
        if case .identityRenewed = event { renewalCount += 1 }
        events.append("\(client.account).\(client.slot): \(event)")
    }

    mutating func note(_ event: String) { events.append(event) }

    mutating func noteRestore() {
        restoreCount += 1
        events.append("server restored")
    }

    mutating func noteNotified(_ account: Address) {
        notifiedCount += 1
        events.append("\(account) came back, and was notified")
    }

    mutating func lose(_ bodies: [String], _ client: SimulatedClient) {
        events.append("\(client.account).\(client.slot): overwritten, lost \(bodies)")
        for body in bodies { entries[body]?.isLost = true }
        rows[client.slot] = rows[client.slot]?.filter { !bodies.contains($0.value) }
    }

    mutating func fork(_ client: SimulatedClient, _ fork: SimulatedClient, savedCount: Int) {
        events.append("\(client.account).\(client.slot): forked as \(fork.slot)")
        fork.saved = Array(client.saved[..<savedCount])
        let shared = Set(fork.saved)
        rows[fork.slot] = rows[client.slot]?.filter { shared.contains($0.value) }
    }

    mutating func keepReceived(of client: SimulatedClient) throws {
        kept[client.account, default: []] += try client.received()
    }

    // MARK: The oracle

    func check(_ world: SimulatedWorld) throws {
        var arrived: [String: Set<String>] = [:]
        for (account, received) in kept { arrived[account] = Set(received.map(\.body)) }
        for client in world.clients {
            let received = try client.received()
            try checkOrder(received, client, world)
            arrived[client.account, default: []].formUnion(received.map(\.body))
        }
        // A client that died before it could say so has set them aside all the same.
        let setAside = Set(try world.clients.flatMap { try $0.setAside() })
        for (body, entry) in entries.sorted(by: { $0.key < $1.key }) {
            let isThere = arrived[entry.receiver]?.contains(body) ?? false
            if entry.isRefused || setAside.contains(body) {
                if !entry.isPoison { throw SimulationFailure("\(body) was refused for nothing") }
                if isThere { throw SimulationFailure("\(body) was refused, and is there") }
            } else if !isThere, !entry.isLost || (entry.isAccepted && restoreCount == 0) {
                throw SimulationFailure("\(body) to \(entry.receiver) is lost: \(entry)")
            }
        }
    }

    private func checkOrder(
        _ received: [SimulatedClient.Received], _ client: SimulatedClient, _ world: SimulatedWorld
    ) throws {
        var bodies: Set<String> = []
        var lastSequence: [String: Int64] = [:]
        var lastNumber: [String: Int64] = [:]
        var lastOfSender: [String: Int] = [:]
        let place = "\(client.account).\(client.slot)"
        for message in received {
            guard bodies.insert(message.body).inserted else {
                throw SimulationFailure("\(message.body) is twice at \(place)")
            }
            guard let entry = entries[message.body] else {
                throw SimulationFailure("\(message.body) at \(place) was never sent")
            }
            guard entry.receiver == client.account, entry.account == message.sender else {
                throw SimulationFailure("\(message.body) came to \(place) from \(message.sender)")
            }
            let epoch = "\(message.sender) \(message.epoch)"
            guard message.sequence > lastSequence[epoch] ?? 0 else {
                throw SimulationFailure("\(message.body) at \(place) is out of sequence")
            }
            lastSequence[epoch] = message.sequence
            // What another device of the account had confirmed may come here after a restore.
            let device = "\(message.sender) \(message.device) \(message.epoch)"
            guard message.clientSequence > lastNumber[device] ?? 0 else {
                throw SimulationFailure("\(message.body) at \(place) is out of its device's order")
            }
            lastNumber[device] = message.clientSequence
            // As the sender saved them, where no history was rewritten.
            guard !world.faults.serverRestores, !world.faults.unnoticedCopies, !world.faults.forks
            else { continue }
            guard entry.number >= lastOfSender["\(entry.slot)"] ?? 0 else {
                throw SimulationFailure("\(message.body) at \(place) came before an earlier one")
            }
            lastOfSender["\(entry.slot)"] = entry.number
        }
    }
}
