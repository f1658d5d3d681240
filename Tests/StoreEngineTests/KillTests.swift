import Foundation
import Mailbox
import MailboxTesting
import StoreEngine
import Testing

/// A process that works on a store is killed at random moments (SIGKILL, by its pid), and the store
/// is held to what it had promised: FAILURES row 6, with the oracle kept outside of the system
/// under test.
@Suite("Killed at random moments")
struct KillTests {
    /// What the worker was promised, over all rounds.
    private struct History {
        /// By sender, then by client sequence: the sequence that was answered.
        var accepted: [String: [ClientSequence: SequenceNumber]] = [:]
        /// By sender: the highest cursor that was about to be sent.
        var cursors: [String: SequenceNumber] = [:]

        mutating func hear(_ line: Substring) {
            let words = line.split(separator: " ").map(String.init)
            switch words.first {
            case "A" where words.count == 4:
                accepted[words[1], default: [:]][ClientSequence(words[2])!] =
                    SequenceNumber(words[3])!
            case "C" where words.count == 3:
                cursors[words[1]] = max(cursors[words[1]] ?? 0, SequenceNumber(words[2])!)
            default: break
            }
        }
    }

    @Test("Nothing that was accepted is lost, doubled or changed")
    func killed() throws {
        let scratch = try Scratch()
        let environment = ProcessInfo.processInfo.environment
        let rounds = Int(environment["MAILBOX_KILLS"] ?? "") ?? 100
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("killed(): seed \(seed), \(rounds) rounds")
        var random = SeededRandom(seed: seed)
        var history = History()
        for round in 0..<rounds {
            let lines = Int.random(in: 0..<400, using: &random)
            try Self.run(scratch.file("store"), seed: seed &+ UInt64(round), lines: lines, &history)
            try Self.check(scratch.file("store"), history, "seed \(seed), round \(round)")
        }
        let count = history.accepted.values.reduce(0) { $0 + $1.count }
        print("killed(): \(count) messages accepted")
        #expect(count > rounds)
    }

    /// Starts the worker, kills it after so many lines, and takes in all that it said.
    private static func run(
        _ path: String, seed: UInt64, lines: Int, _ history: inout History
    ) throws {
        let worker = Process()
        worker.executableURL = URL(fileURLWithPath: CommandLine.arguments[0])
            .deletingLastPathComponent().appendingPathComponent("crash-worker")
        worker.arguments = [path, String(seed)]
        let pipe = Pipe()
        worker.standardOutput = pipe
        try worker.run()
        var text = ""
        var heard = 0
        while true {
            let data = pipe.fileHandleForReading.availableData
            if data.isEmpty { break }
            text += String(decoding: data, as: UTF8.self)
            heard += data.count { $0 == UInt8(ascii: "\n") }
            if heard > lines { kill(worker.processIdentifier, SIGKILL) }
        }
        worker.waitUntilExit()
        try #require(worker.terminationReason == .uncaughtSignal, "the worker ended by itself")
        // The last line counts only when it came whole.
        let whole = text.split(separator: "\n", omittingEmptySubsequences: false).dropLast()
        for line in whole { history.hear(line) }
    }

    private static func check(_ path: String, _ history: History, _ place: String) throws {
        var configuration = StoreConfiguration()
        configuration.journalSegmentBytes = 64 << 10
        configuration.messageBytesMaximum = 8 << 10
        configuration.checkpointJournalBytes = 128 << 10
        let store = try MailboxStore.open(at: path, configuration: configuration)
        let report = try store.verify()
        try #require(report.isSound, "\(place): \(report.problems)")
        for (sender, accepted) in history.accepted {
            let mailbox = try MailboxID(sender: sender, receiver: "r")
            let head = try store.head(mailbox)
            let last = accepted.keys.max() ?? 0
            try #require(
                try store.sendState(mailbox, device: DeviceID("phone")) >= last, "\(place)")
            // Confirmations may be lost; none is invented, and only they let messages go.
            try #require(head.acknowledged <= history.cursors[sender] ?? 0, "\(place)")
            try #require(head.floor <= head.acknowledged, "\(place)")
            var bodies: [SequenceNumber: Message] = [:]
            var after = head.floor
            while after < head.max {
                let page = try store.read(mailbox, after: after, limit: PageLimit(messages: 500))
                for message in page.messages {
                    try #require(message.sequence == after + 1, "\(place): a hole")
                    after = message.sequence
                    bodies[after] = message
                }
            }
            // One device writes the mailbox: its numbers and the mailbox's are the same.
            for (clientSequence, sequence) in accepted {
                try #require(sequence == clientSequence, "\(place): given twice or skipped")
                guard sequence > head.floor else { continue }
                let message = try #require(bodies[sequence], "\(place): \(sender) \(sequence) lost")
                try #require(message.producer?.clientSequence == clientSequence, "\(place)")
                let expected = Array("\(sender) \(clientSequence) ".utf8)
                try #require(message.body.starts(with: expected), "\(place): a wrong body")
            }
        }
        try store.close()
    }
}
