import Foundation
import Mailbox
import MailboxTesting
import StoreAPI
import StoreEngine
import Synchronization
import Testing

/// The daemon is killed (SIGKILL, by its pid) under stream load and started again on the same
/// store; clients reconnect by themselves and send again what has no answer. The oracle of
/// FAILURES: what was answered is there, once, in order, with its own bytes.
///
/// `MAILBOX_KILLS` sets the number of rounds.
@Suite("The daemon killed under load")
struct KillTests {
    private static let senders = 8
    private static let framesUnderWay = 4

    /// What the clients were promised, kept outside of the daemon.
    private final class History: Sendable {
        private struct State {
            /// By sender: the sequence that each client sequence was answered with.
            var accepted: [String: [ClientSequence: SequenceNumber]] = [:]
            var count = 0
            var violations: [String] = []
        }

        private let state = Mutex(State())
        var count: Int { state.withLock { $0.count } }
        var accepted: [String: [ClientSequence: SequenceNumber]] {
            state.withLock { $0.accepted }
        }
        var violations: [String] { state.withLock { $0.violations } }

        func accept(_ sender: String, _ clientSequence: ClientSequence, _ result: AppendResult) {
            state.withLock { state in
                state.count += 1
                // A duplicate of itself may have lost its sequence; nothing else may.
                guard let sequence = result.sequence else {
                    if !result.isDuplicate { state.violations.append("no sequence") }
                    return
                }
                let previous = state.accepted[sender, default: [:]].updateValue(
                    sequence, forKey: clientSequence)
                if let previous, previous != sequence {
                    state.violations.append(
                        "\(sender) \(clientSequence): \(previous), then \(sequence)")
                }
            }
        }
    }

    @Test("Nothing that was answered is lost, doubled or changed")
    func killed() async throws {
        let environment = ProcessInfo.processInfo.environment
        let rounds = Int(environment["MAILBOX_KILLS"] ?? "").map { min($0, 1_000) } ?? 4
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("killed(): seed \(seed), \(rounds) rounds")
        let directory = try TestDirectory()
        let store = directory.file("store")
        let history = History()
        let first = try await Daemon.start(store, Self.arguments)
        try #require(first.isReady)
        var patient = first.target
        patient.callTimeout = .seconds(300)
        patient.connectTimeout = .seconds(300)
        patient.backoffMaximum = .milliseconds(100)
        let goOn = Switch()
        let last = try await withStoreClient(patient) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                var random = SeededRandom(seed: seed)
                var daemon = first
                for sender in 0..<Self.senders {
                    group.addTask {
                        try await Self.send(client, "sender\(sender)", history, goOn)
                    }
                }
                for round in 0..<rounds {
                    try await Self.wait(history, Int.random(in: 1..<4_000, using: &random))
                    daemon.signal(SIGKILL)
                    let end = try await daemon.end()
                    try #require(end.wasKilled, "round \(round): \(end.notes)")
                    daemon = try await Daemon.start(store, port: first.port, Self.arguments)
                    let isReady = daemon.isReady
                    try #require(isReady, "round \(round)")
                }
                goOn.turnOff()
                try await group.waitForAll()
                return daemon
            }
        }
        let end = try await last.stop()
        #expect(end.status == 0, "\(end.notes)")
        #expect(history.violations.isEmpty, "\(history.violations.prefix(5))")
        try Self.check(store, history)
        print("killed(): \(history.count) messages accepted")
    }

    private static let arguments = [
        "--engine-journal-segment-bytes", "1MiB", "--engine-checkpoint-journal-bytes", "2MiB",
        "--engine-checkpoint-interval-milliseconds", "50", "--engine-tail-bytes", "4MiB",
        "--engine-message-bytes", "16KiB", "--log-level", "error",
    ]

    /// Waits until so many more messages were accepted.
    private static func wait(_ history: History, _ count: Int) async throws {
        let goal = history.count + count
        while history.count < goal { await Task.yield() }
    }

    /// Sends batches, each behind the last, with several under way.
    private static func send(
        _ client: StoreClient, _ sender: String, _ history: History,
        _ goOn: Switch
    ) async throws {
        let mailbox = try MailboxID(sender: sender, receiver: "r")
        let device = try DeviceID("phone")
        var next: ClientSequence = 1
        while goOn.isOn {
            let batch = (0..<Int(next % 60 + 1)).map { offset in
                let number = next + ClientSequence(offset)
                return Append(
                    mailbox, producer: Producer(device: device, clientSequence: number),
                    body: body(sender, number))
            }
            let results: [Result<AppendResult, StoreError>]
            do throws(StoreError) {
                results = try await client.append(batch: batch)
            } catch {
                // Its time was over, or it was refused as a whole: once, or not at all. Again.
                continue
            }
            for (append, result) in zip(batch, results) {
                // Those behind a refused one are refused, too: all of them go again.
                guard let number = append.producer?.clientSequence,
                    case .success(let answer) = result
                else { break }
                history.accept(sender, number, answer)
                next = number + 1
            }
        }
    }

    /// A body that its place alone determines.
    private static func body(_ sender: String, _ number: ClientSequence) -> [UInt8] {
        Array("\(sender) \(number) ".utf8)
            + [UInt8](repeating: UInt8(truncatingIfNeeded: number), count: Int(number % 300))
    }

    private static func check(_ path: String, _ history: History) throws {
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 1 << 20
        configuration.checkpointJournalBytes = 2 << 20
        configuration.messageBytesMaximum = 16 << 10
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let report = try store.verify()
        #expect(report.isSound, "\(report.problems)")
        for (sender, accepted) in history.accepted {
            let mailbox = try MailboxID(sender: sender, receiver: "r")
            let head = try store.head(mailbox)
            #expect(head.acknowledged == 0)
            #expect(head.max >= accepted.keys.max() ?? 0)
            var after: SequenceNumber = 0
            while after < head.max {
                let page = try store.read(mailbox, after: after, limit: PageLimit(messages: 1_000))
                for message in page.messages {
                    try #require(message.sequence == after + 1, "\(sender): a hole")
                    after = message.sequence
                    // One device writes the mailbox, in order: its numbers are the mailbox's.
                    let number = try #require(message.producer?.clientSequence)
                    try #require(number == after, "\(sender): \(number) twice, or out of order")
                    try #require(Array(message.body) == body(sender, number), "\(sender): a body")
                }
            }
            for (number, sequence) in accepted {
                try #require(number == sequence, "\(sender): \(number) was answered \(sequence)")
            }
        }
        try store.close()
    }
}

/// Turned off once.
final class Switch: Sendable {
    private let state = Atomic<Bool>(true)
    var isOn: Bool { state.load(ordering: .acquiring) }
    func turnOff() { state.store(false, ordering: .releasing) }
}
