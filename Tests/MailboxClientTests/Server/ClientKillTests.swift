import Foundation
import GRDB
import MailboxTesting
import ServerTesting
import Synchronization
import Testing

@testable import MailboxClient

/// A client that sends to itself through `mailboxd all` is killed (SIGKILL) and started again on
/// the same database: at each call that changes a file or syncs it, before, in the middle and
/// behind, and at random moments. FAILURES 14: "saved" is never lost; and each message arrives
/// once, in order.
///
/// `MAILBOX_CLIENT_KILLS` sets the number of kills.
@Suite("The client killed", .timeLimit(.minutes(60)))
struct ClientKillTests {
    /// What the worker said, kept outside of it.
    private struct History {
        /// In the order in which they were said to be saved.
        var saved: [String] = []
        var confirmed: Set<String> = []
        var violations: [String] = []

        mutating func take(_ line: Substring) {
            let body = String(line.dropFirst(2))
            switch line.first {
            case "S": saved.append(body)
            case "C": confirmed.insert(body)
            case "D":
                if confirmed.contains(body) {
                    violations.append("\(body) came after it was confirmed")
                }
            default: break
            }
        }
    }

    /// How a life of the worker ends.
    private enum Death {
        /// At a call, from 1: before it, in the middle of a write, or behind it.
        case call(Int, String)
        /// After so many lines of its output, and a moment.
        case lines(Int)
        /// By itself, when nothing waits.
        case none
    }

    @Test("What was saved arrives once and in order, whenever it is killed")
    func killed() async throws {
        let environment = ProcessInfo.processInfo.environment
        let kills = Int(environment["MAILBOX_CLIENT_KILLS"] ?? "").map { min($0, 100_000) } ?? 50
        let seed =
            UInt64(environment["MAILBOX_SEED"] ?? "") ?? UInt64.random(in: 0...UInt64(Int64.max))
        print("killed(): seed \(seed), \(kills) kills")
        var random = SeededRandom(seed: seed)
        let world = try await ServerWorld.start()
        let shim = try await Self.buildShim(world.scratch)
        let token = world.scratch.file("token")
        try world.issuer.token("self", lifeSeconds: 86_400).write(
            toFile: token, atomically: true, encoding: .utf8)
        try FileManager.default.createDirectory(
            atPath: world.scratch.file("client"), withIntermediateDirectories: true)
        var history = History()
        var atCalls = 0
        var call = 1
        for life in 1...kills {
            let death: Death
            if life % 2 == 0 {
                death = .lines(Int.random(in: 1...25, using: &random))
            } else {
                // Every call in turn; beyond the last one of a life the next round begins.
                death = .call(call, ["kill", "half", "after"][(life / 2) % 3])
                call += kills < 500 ? Int.random(in: 1...20, using: &random) : 1
            }
            let wasAtCall = try await Self.live(
                world, shim: shim, life: life, count: 30, death, &history)
            if case .call = death {
                atCalls += wasAtCall ? 1 : 0
                if !wasAtCall { call = 1 }
            }
            try #require(history.violations.isEmpty, "life \(life): \(history.violations)")
        }
        // At rest: everything that was said to be saved is there.
        _ = try await Self.live(world, shim: shim, life: 0, count: 0, .none, &history)
        let received = try Self.received(world.scratch.file("client/self.db"))
        try Self.check(history, received)
        print(
            "killed(): \(kills) kills, \(atCalls) of them at calls; \(history.saved.count) saved, "
                + "\(received.count) received, \(history.violations.count) violations")
        try await world.stop()
    }

    private static func check(_ history: History, _ received: [String]) throws {
        #expect(history.violations.isEmpty)
        let places = Dictionary(
            received.enumerated().map { ($1, $0) }, uniquingKeysWith: { first, _ in first })
        #expect(places.count == received.count, "\(received.count - places.count) are doubled")
        let lost = history.saved.filter { places[$0] == nil }
        #expect(lost.isEmpty, "lost: \(lost.prefix(10))")
        // One that was said to be saved before another was begun is in front of it.
        var last = -1
        var outOfOrder: [String] = []
        for body in history.saved where Self.isAlone(body) {
            guard let place = places[body] else { continue }
            if place < last { outOfOrder.append(body) }
            last = max(last, place)
        }
        #expect(outOfOrder.isEmpty, "out of order: \(outOfOrder.prefix(10))")
    }

    /// Whether a message was sent by itself; those that were sent at once have no order.
    private static func isAlone(_ body: String) -> Bool {
        // Of each eight, the last four were sent at once.
        guard let number = Int(body.split(separator: ".")[1]) else { return false }
        return (1...4).contains((number - 1) % 8 + 1)
    }

    /// The incoming messages of the client's database, in the order in which they were stored.
    private static func received(_ path: String) throws -> [String] {
        var random = ClientRandom(seed: nil)
        let database = try ClientDatabase(path: path) { random.name() }
        defer { try? database.close() }
        return try database.read { db in
            let unconfirmed = try db.number("SELECT count(*) FROM message WHERE state IN (0, 2, 3)")
            #expect(unconfirmed == 0)
            #expect(try String.fetchOne(db, sql: "PRAGMA integrity_check") == "ok")
            return try db.rows("SELECT body FROM message WHERE state = 4 ORDER BY id").map {
                String(decoding: $0[0] as Data, as: UTF8.self)
            }
        }
    }

    /// - Returns: true when the worker was killed by itself, at the call.
    private static func live(
        _ world: ServerWorld, shim: String, life: Int, count: Int, _ death: Death,
        _ history: inout History
    ) async throws -> Bool {
        let arguments = [
            world.scratch.file("client/self.db"), world.address, world.scratch.file("token"),
            "self", "\(life)", "\(count)",
        ]
        var environment = ProcessInfo.processInfo.environment
        if case .call(let number, let how) = death {
            // Beside what a sanitizer's run has there.
            environment["LD_PRELOAD"] = [shim, environment["LD_PRELOAD"] ?? ""]
                .filter { !$0.isEmpty }.joined(separator: ":")
            environment["FILE_SHIM_ROOT"] = world.scratch.file("client")
            environment["FILE_SHIM_AT"] = "\(number)"
            environment["FILE_SHIM_DO"] = how
            environment["FILE_SHIM_COUNT"] = "change"
        }
        let lineLimit =
            switch death {
            case .lines(let count): count
            // One that is to end at a call that never comes ends when everything came back.
            case .call: 1 + 3 * count
            case .none: Int.max
            }
        let end = try await onThread { [environment] in
            try run(arguments, environment, lineLimit: lineLimit)
        }
        for line in end.lines { history.take(line[...]) }
        if case .none = death {
            try #require(end.lines.last == "END", "the last life ended with \(end.signal ?? 0)")
            return false
        }
        try #require(end.signal == SIGKILL, "life \(life) ended otherwise")
        return !end.wasKilled
    }

    private struct End {
        let lines: [String]
        /// What ended it; nil when it ended by itself.
        let signal: Int32?
        /// From here.
        let wasKilled: Bool
    }

    /// Runs the worker until it ends, or is killed behind so many lines.
    private static func run(
        _ arguments: [String], _ environment: [String: String], lineLimit: Int
    ) throws -> End {
        let process = Process()
        process.executableURL = ServerProcess.sibling("client-worker")
        process.arguments = arguments
        process.environment = environment
        let output = Pipe()
        process.standardOutput = output
        try process.run()
        var text: [UInt8] = []
        var wasKilled = false
        while true {
            let data = output.fileHandleForReading.availableData
            if data.isEmpty { break }
            text += data
            if !wasKilled, text.count(where: { $0 == 0x0A }) >= lineLimit {
                wasKilled = true
                kill(process.processIdentifier, SIGKILL)
            }
        }
        process.waitUntilExit()
        let isSignal = process.terminationReason == .uncaughtSignal
        return End(
            lines: String(decoding: text, as: UTF8.self).split(separator: "\n").map(String.init),
            signal: isSignal ? process.terminationStatus : nil, wasKilled: wasKilled)
    }

    /// What kills at a call: the shim of the engine's crash tests.
    private static func buildShim(_ scratch: Scratch) async throws -> String {
        let source = URL(filePath: #filePath).deletingLastPathComponent()
            .deletingLastPathComponent().deletingLastPathComponent()
            .appending(path: "crash-test/shim/file-shim.c")
        let path = scratch.file("file-shim.so")
        try await onThread {
            let process = Process()
            process.executableURL = URL(filePath: "/usr/bin/env")
            process.arguments = [
                "clang", "-O1", "-shared", "-fPIC", "-o", path, source.path(percentEncoded: false),
            ]
            try process.run()
            process.waitUntilExit()
            try #require(process.terminationStatus == 0, "the shim cannot be built")
        }
        return path
    }
}
