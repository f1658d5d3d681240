import Foundation
import Mailbox
import MailboxClient
import StoreEngine
import Synchronization
import Testing

/// Devices that write to one another through the client library, each to two others, and a history
/// of what their people saw.
final class DeviceLoad: Sendable {
    typealias Pair = DeviceHistory.Pair

    let history = DeviceHistory()
    private let clients: [MailboxClient]
    private let goesOn = Atomic<Bool>(true)
    private let ticketsLeft: Mutex<Int>
    /// Messages of a device that may wait for their acceptance.
    private let window: Int

    /// - Parameters:
    ///   - ports: where devices connect, in turn.
    ///   - messages: how many are sent in all.
    init(
        _ count: Int, ports: [Int], in directory: TestDirectory, mint: TokenMint,
        timing: SessionTiming, window: Int, messages: Int = .max
    ) throws {
        self.window = window
        ticketsLeft = Mutex(messages)
        var configuration = ClientConfiguration()
        configuration.timing = timing
        clients = try (0..<count).map { number in
            try MailboxClient(
                path: directory.file("device\(number).sqlite"),
                transport: try WebSocketTransport(
                    to: try ServerAddress("ws://127.0.0.1:\(ports[number % ports.count])")),
                configuration: configuration
            ) { _ in mint.mint(Self.name(number)) }
        }
    }

    static func name(_ number: Int) -> String { "device-\(number)" }

    /// Sends no more.
    func end() { goesOn.store(false, ordering: .releasing) }

    /// Sends and receives while `body` runs; then until everything that was sent has arrived.
    func run(_ body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { readers in
            for (number, client) in clients.enumerated() {
                await client.start()
                readers.addTask { try await self.read(client, number) }
            }
            do {
                try await write(during: body)
                try await history.wait(for: "arrival of everything", seconds: 120) {
                    $0.isComplete
                }
            } catch {
                await giveUp()
                throw error
            }
            for client in clients { try await client.shutdown() }
            try await readers.waitForAll()
        }
    }

    private func write(during body: @escaping @Sendable () async throws -> Void) async throws {
        try await withThrowingTaskGroup(of: Void.self) { writers in
            for (number, client) in clients.enumerated() {
                writers.addTask { try await self.write(client, number) }
            }
            do {
                try await body()
            } catch {
                await giveUp()
                throw error
            }
            end()
            try await writers.waitForAll()
        }
    }

    /// Whoever waits for something that does not come is released.
    private func giveUp() async {
        end()
        for client in clients { try? await client.shutdown() }
    }

    /// Waits until as many were sent as there are to be.
    func untilSent() async throws {
        while ticketsLeft.withLock({ $0 > 0 }) {
            let before = history.seen.acceptedCount
            try await history.wait(for: "progress", seconds: 120) { $0.acceptedCount > before }
        }
    }

    private func takesTicket() -> Bool {
        guard goesOn.load(ordering: .acquiring) else { return false }
        return ticketsLeft.withLock { left in
            guard left > 0 else { return false }
            left -= 1
            return true
        }
    }

    // MARK: Devices

    private func write(_ client: MailboxClient, _ number: Int) async throws {
        var next: [Int: Int] = [:]
        var waiting: [(pair: Pair, number: Int, message: SentMessage)] = []
        var turn = 0
        while takesTicket() {
            turn += 1
            let peer = (number + 1 + turn % 2) % clients.count
            let pair = Pair(sender: number, receiver: peer)
            let count = (next[peer] ?? 0) + 1
            next[peer] = count
            history.sent(pair, count)
            let message = try await client.send(
                Self.body(pair, count), to: try Address(Self.name(peer)))
            waiting.append((pair, count, message))
            if waiting.count >= window { await settle(waiting.removeFirst()) }
        }
        for message in waiting { await settle(message) }
    }

    private func settle(_ sent: (pair: Pair, number: Int, message: SentMessage)) async {
        switch await sent.message.settled() {
        case .accepted(let sequence):
            history.accepted(sent.pair, sent.number, sequence: sequence)
        case .refused(let reason):
            history.violated("\(sent.pair) \(sent.number) was refused: \(reason)")
        case .saved: history.violated("\(sent.pair) \(sent.number) was given up")
        }
    }

    private func read(_ client: MailboxClient, _ number: Int) async throws {
        for await message in client.messages {
            guard let sender = (0..<clients.count).first(where: { Self.name($0) == message.peer }),
                let count = Self.number(of: message.body)
            else {
                history.violated("a message that nobody sent")
                continue
            }
            let pair = Pair(sender: sender, receiver: number)
            if message.body != Self.body(pair, count) {
                history.violated("\(pair) \(count) has another body")
            }
            history.received(pair, count, sequence: message.sequence)
            try await client.confirm(message)
            history.confirmed(pair, count)
        }
    }

    /// A body that its place alone determines.
    private static func body(_ pair: Pair, _ number: Int) -> [UInt8] {
        Array("\(number) \(pair) ".utf8)
            + [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: number % 150)
    }

    private static func number(of body: [UInt8]) -> Int? {
        Int(String(decoding: body.prefix { $0 != UInt8(ascii: " ") }, as: UTF8.self))
    }

    // MARK: What is left

    /// Looks at the store that all went through: each message is there once, with its number, and
    /// nothing else is.
    func check(store path: String) throws {
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 1 << 20
        configuration.checkpointJournalBytes = 2 << 20
        configuration.messageBytesMaximum = 16 << 10
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let report = try store.verify()
        #expect(report.isSound, "\(report.problems)")
        for (pair, count) in history.seen.sent {
            let mailbox = try MailboxID(
                sender: Self.name(pair.sender), receiver: Self.name(pair.receiver))
            try #require(try store.head(mailbox).max == SequenceNumber(count), "\(pair)")
            // A device may take a new name; under each, its numbers count from 1.
            var numbers: [DeviceID: ClientSequence] = [:]
            var after: SequenceNumber = 0
            while after < count {
                let page = try store.read(mailbox, after: after, limit: PageLimit(messages: 1_000))
                try #require(!page.messages.isEmpty, "\(pair): no \(after + 1)")
                for message in page.messages {
                    try #require(message.sequence == after + 1, "\(pair): a hole")
                    after = message.sequence
                    try #require(Array(message.body) == Self.body(pair, Int(after)))
                    let producer = try #require(message.producer, "\(pair) \(after)")
                    let number = (numbers[producer.device] ?? 0) + 1
                    try #require(producer.clientSequence == number, "\(pair) \(after)")
                    numbers[producer.device] = number
                }
            }
            if numbers.count > 1 { print("check(): \(pair): \(numbers.count) device names") }
        }
        try store.close()
    }
}
