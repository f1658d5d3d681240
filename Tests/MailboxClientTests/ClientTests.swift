import ClientWire
import Mailbox
import MailboxTesting
import SwiftProtobuf
import Synchronization
import Testing

@testable import MailboxClient

/// A network within the process, and the simulated server behind it: nothing is lost on it.
final class LoopbackNetwork: Sendable {
    private struct Shared: Sendable {
        var server = SimulatedServer(clock: ManualClock())
        var reports: [UInt64: @Sendable (TransportEvent) -> Void] = [:]
        var next: UInt64 = 1
    }
    private let shared = Mutex(Shared())

    struct Transport: ClientTransport {
        let network: LoopbackNetwork
        let account: String

        func connect(
            _ report: @escaping @Sendable (TransportEvent) -> Void
        ) -> any ClientConnection {
            Connection(network: network, number: network.open(account, report))
        }
    }

    struct Connection: ClientConnection {
        let network: LoopbackNetwork
        let number: UInt64

        func send(_ messages: [[UInt8]]) {
            for message in messages { network.take(message, number) }
        }
        func close() { network.close(number) }
    }

    fileprivate func open(
        _ account: String, _ report: @escaping @Sendable (TransportEvent) -> Void
    ) -> UInt64 {
        let number = shared.withLock { shared in
            defer { shared.next += 1 }
            shared.server.connections[shared.next] = .init(account: account)
            shared.reports[shared.next] = report
            return shared.next
        }
        report(.opened)
        return number
    }

    fileprivate func take(_ message: [UInt8], _ number: UInt64) {
        guard let frame = try? ClientFrame(serializedBytes: message) else { return }
        let deliveries = shared.withLock { shared in
            shared.server.take(frame, from: number).sent.map { sent in
                (shared.reports[sent.connection], sent.frame)
            }
        }
        for (report, frame) in deliveries {
            if let bytes: [UInt8] = try? frame.serializedBytes() { report?(.messages([bytes])) }
        }
    }

    fileprivate func close(_ number: UInt64) {
        let report = shared.withLock { shared in
            shared.server.connections[number] = nil
            return shared.reports.removeValue(forKey: number)
        }
        report?(.closed("closed"))
    }
}

@Suite("The client")
struct ClientTests {
    private static func client(
        _ account: String, _ network: LoopbackNetwork, _ scratch: Scratch
    ) throws -> MailboxClient {
        try MailboxClient(
            path: scratch.file("\(account).db"),
            transport: LoopbackNetwork.Transport(network: network, account: account),
            tokens: { _ in "token" })
    }

    @Test("What is sent offline is accepted and received later, and delivered until confirmed")
    func offlineFirst() async throws {
        let scratch = try Scratch()
        let network = LoopbackNetwork()
        let (anna, bert) = (try Address("anna"), try Address("bert"))
        let sender = try Self.client("anna", network, scratch)
        var sent: [SentMessage] = []
        for number in 1...20 {
            sent.append(try await sender.send(Array("message \(number)".utf8), to: bert))
        }
        #expect(sent.allSatisfy { $0.state == .saved })
        await sender.start()
        for (index, message) in sent.enumerated() {
            #expect(await message.settled() == .accepted(UInt32(index + 1)))
        }

        let receiver = try Self.client("bert", network, scratch)
        await receiver.start()
        var number = 0
        for await message in receiver.messages {
            number += 1
            #expect(message.body == Array("message \(number)".utf8) && message.peer == "anna")
            if number == 10 { try await receiver.confirm(message) }
            if number == 20 { break }
        }
        // Another iteration begins behind what was confirmed.
        for await message in receiver.messages {
            #expect(message.body == Array("message 11".utf8))
            break
        }
        let conversation = try #require(try await receiver.conversations().first)
        #expect(conversation.unreadCount == 10 && conversation.heldSequence == 20)
        let page = try await receiver.history(with: anna, limit: 3)
        #expect(page.map(\.sequence) == [20, 19, 18])
        try await sender.shutdown()
        try await receiver.shutdown()
        await #expect(throws: ClientError.self) { try await sender.send([], to: bert) }
    }
}
