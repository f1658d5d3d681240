import ClientWire
import Foundation
import Mailbox
import MailboxClient
import MailboxTesting
import SwiftProtobuf
import Synchronization

/// A network within the process, and a server behind it that says what it hears: what reached it
/// binds the client for ever.
///
/// | line | what |
/// |---|---|
/// | `L device peer sequence body` | the client's message came, under that number |
/// | `C peer cursor` | the client says that it holds everything through the cursor |
/// | `P peer body` | the peer's next message is about to be pushed |
/// | `X code` | the client was refused: with this server nothing may be |
final class LocalNetwork: Sendable {
    static let account = "anna"
    static let peers = ["bert", "carl", "dora"]

    private struct Shared: Sendable {
        var server = SimulatedServer(clock: ManualClock())
        var reports: [UInt64: @Sendable (TransportEvent) -> Void] = [:]
        var next: UInt64 = 1
        /// How far each peer has numbered what it sent.
        var pushed: [String: ClientSequence] = [:]
        /// Says that a cursor was confirmed before its messages are stored.
        var confirmsEarly = false
    }
    private let shared = Mutex(Shared())

    /// A server that knows what was said in earlier runs.
    init(past: [Substring], confirmsEarly: Bool) throws {
        try shared.withLock { shared in
            shared.confirmsEarly = confirmsEarly
            for (index, peer) in Self.peers.enumerated() {
                shared.server.connections[Self.connection(index)] = .init(
                    account: peer, device: "far", isWelcome: true)
            }
            for line in past {
                let words = line.split(separator: " ").map(String.init)
                switch (words.first, words.count) {
                case ("L", 5):
                    shared.server.store.modify { state in
                        _ = try? state.append(
                            Self.append(words[2], words[1], words[3], words[4]), now: 1)
                    }
                case ("P", 3): _ = try Self.push(words[1], words[2], &shared)
                case ("C", 3):
                    let mailbox = try MailboxID(sender: words[1], receiver: Self.account)
                    shared.server.store.modify { state in
                        _ = try? state.acknowledge(
                            mailbox,
                            through: Cursor(
                                SequenceNumber(words[2]) ?? 0, epoch: Epoch(rawValue: 1)))
                    }
                default: continue
                }
            }
        }
    }

    private static func connection(_ peer: Int) -> UInt64 { 1_000_000 + UInt64(peer) }

    private static func append(
        _ peer: String, _ device: String, _ number: String, _ body: String
    ) throws(StoreError) -> Append {
        Append(
            try MailboxID(sender: account, receiver: peer),
            producer: Producer(
                device: try DeviceID(device), clientSequence: ClientSequence(number) ?? 0),
            body: Array(body.utf8))
    }

    private static func push(
        _ peer: String, _ body: String, _ shared: inout Shared
    ) throws -> [SimulatedServer.Sent] {
        guard let index = peers.firstIndex(of: peer) else { return [] }
        let number = shared.pushed[peer, default: 0] + 1
        shared.pushed[peer] = number
        let frame = ClientFrame.with {
            $0.request = number
            $0.send = .with {
                $0.receiver = account
                $0.clientSequence = number
                $0.body = Data(body.utf8)
            }
        }
        return shared.server.take(frame, from: connection(index)).sent
    }

    // MARK: What the peers do

    /// A peer sends a message to the client.
    func push(_ peer: String, _ body: String) throws {
        let deliveries = try shared.withLock { shared in
            Said.line("P \(peer) \(body)")
            if shared.confirmsEarly {
                Said.line("C \(peer) \(shared.pushed[peer, default: 0] + 1)")
            }
            return try Self.push(peer, body, &shared).compactMap { sent in
                shared.reports[sent.connection].map { ($0, sent.frame) }
            }
        }
        try deliver(deliveries)
    }

    private func deliver(_ deliveries: [(@Sendable (TransportEvent) -> Void, ServerFrame)]) throws {
        for (report, frame) in deliveries {
            let bytes: [UInt8] = try frame.serializedBytes()
            report(.messages([bytes]))
        }
    }

    // MARK: What the client does

    private func open(_ report: @escaping @Sendable (TransportEvent) -> Void) -> UInt64 {
        let number = shared.withLock { shared in
            defer { shared.next += 1 }
            shared.server.connections[shared.next] = .init(account: Self.account)
            shared.reports[shared.next] = report
            return shared.next
        }
        report(.opened)
        return number
    }

    private func take(_ message: [UInt8], _ number: UInt64) {
        guard let frame = try? ClientFrame(serializedBytes: message) else {
            return Said.line("X unreadable")
        }
        let deliveries = shared.withLock { shared in
            Self.say(frame, shared.server.connections[number]?.device ?? "")
            return shared.server.take(frame, from: number).sent.compactMap { sent in
                if case .refused(let refused) = sent.frame.content {
                    Said.line("X \(refused.code)")
                }
                return shared.reports[sent.connection].map { ($0, sent.frame) }
            }
        }
        do { try deliver(deliveries) } catch { Said.line("X unwritable") }
    }

    private static func say(_ frame: ClientFrame, _ device: String) {
        switch frame.content {
        case .send(let send):
            let body = String(decoding: send.body, as: UTF8.self)
            Said.line("L \(device) \(send.receiver) \(send.clientSequence) \(body)")
        case .fetch(let fetch): Said.line("C \(fetch.sender) \(fetch.cursor.sequence)")
        case .acknowledge(let it): Said.line("C \(it.sender) \(it.cursor.sequence)")
        case .sync(let sync):
            for cursor in sync.cursors {
                Said.line("C \(cursor.sender) \(cursor.cursor.sequence)")
            }
        default: return
        }
    }

    private func close(_ number: UInt64) {
        let report = shared.withLock { shared in
            shared.server.connections[number] = nil
            return shared.reports.removeValue(forKey: number)
        }
        report?(.closed("closed"))
    }

    struct Transport: ClientTransport {
        let network: LocalNetwork

        func connect(
            _ report: @escaping @Sendable (TransportEvent) -> Void
        ) -> any ClientConnection {
            Connection(network: network, number: network.open(report))
        }
    }

    private struct Connection: ClientConnection {
        let network: LocalNetwork
        let number: UInt64

        func send(_ messages: [[UInt8]]) {
            for message in messages { network.take(message, number) }
        }
        func close() { network.close(number) }
    }
}

/// What the program says: one write a time, so that a kill cuts between.
enum Said {
    static func line(_ text: String) {
        let bytes = Array((text + "\n").utf8)
        _ = write(1, bytes, bytes.count)
    }
}
