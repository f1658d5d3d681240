import Foundation
import Mailbox
import StoreAPI
import SwiftProtobuf
import Testing

/// Clients that speak HTTP/2 as they should not, beside one that does nothing wrong: they are cut
/// off, they cost little memory, and nobody else notices.
@Suite("The daemon and hostile clients")
struct HostileClientTests {
    private typealias Kind = RawConnection.Kind

    // MARK: Half-open connections

    @Test("Who falls silent is cut off, whatever it began; who gives signs of life is not")
    func halfOpen() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            directory.file("store"),
            ["--limits-keepalive-seconds", "1", "--limits-keepalive-timeout-seconds", "1"])
        try #require(daemon.isReady)
        let port = daemon.port
        async let silent = onThread { try Self.hearsWithoutAnswer(port) }
        async let mute = onThread { try RawConnection(port: port).untilEnd().count }
        async let polite = onThread { try Self.answersFourPings(port) }
        // It was asked, did not answer, and was cut off: `untilEnd` came back.
        #expect(try await silent > 0)
        _ = try await mute
        #expect(try await polite)
        try await Self.wait(for: "mailbox_store_watchers 0\n", of: daemon)
        try await Self.wait(for: "mailbox_store_connections_open 0\n", of: daemon)
        #expect(try await daemon.stop().status == 0)
    }

    /// Begins a watch, and then reads what comes and says nothing more.
    ///
    /// - Returns: how often the server asked for a sign of life before it ended the connection.
    private static func hearsWithoutAnswer(_ port: Int) throws -> Int {
        let connection = try RawConnection(port: port)
        try connection.send(RawConnection.greeting + watch(stream: 1))
        return try connection.untilEnd().count { $0.kind == Kind.ping && !$0.isAcknowledgement }
    }

    /// - Returns: whether a call is answered on a connection that is as old as four pings.
    private static func answersFourPings(_ port: Int) throws -> Bool {
        let connection = try RawConnection(port: port)
        try connection.send(RawConnection.greeting)
        var pings = 0
        while pings < 4, let frame = try connection.next() {
            guard frame.kind == Kind.ping, !frame.isAcknowledgement else { continue }
            pings += 1
            try connection.send(RawConnection.frame(Kind.ping, flags: 1, frame.payload))
        }
        return try isServed(connection, stream: 1)
    }

    /// The bytes of a watch that begins.
    static func watch(stream: UInt32) throws -> [UInt8] {
        let request: [UInt8] = try Wire.StoreService.Method.Watch.Input.with {
            $0.receivers = ["r"]
        }.serializedBytes()
        return RawConnection.call("Watch", stream: stream)
            + RawConnection.message(request, stream: stream, isLast: true)
    }

    /// - Returns: whether a call is answered on the connection.
    private static func isServed(_ connection: RawConnection, stream: UInt32) throws -> Bool {
        try connection.send(
            RawConnection.call("GetStoreInfo", stream: stream)
                + RawConnection.message([], stream: stream, isLast: true))
        while let frame = try connection.next() {
            if frame.kind == Kind.data, frame.stream == stream { return true }
        }
        return false
    }

    @Test("Who holds connections to the metrics and asks nothing loses them")
    func idleAtTheMetrics() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            directory.file("store"), ["--metrics-connections", "4", "--metrics-idle-seconds", "1"])
        try #require(daemon.isReady)
        let port = daemon.metricsPort
        let silent = try await onThread {
            try (0..<12).map { _ in RawSendable(try RawConnection(port: port)) }
        }
        // Behind twelve of which four are let in at a time.
        #expect(try await daemon.page("healthz").status == 200)
        // `untilEnd` comes back: the server ended them.
        let heard = try await onThread { try silent.map { try $0.raw.untilEnd().count } }
        #expect(heard.allSatisfy { $0 == 0 })
        #expect(try await daemon.stop().status == 0)
    }

    // MARK: Floods

    /// What a client may throw at a server, after which the server ends the connection.
    enum Flood: CaseIterable, Sendable {
        case streams, resets, pings, emptyFrames, continuations, headers, hugeFrame, anotherProtocol

        /// The bytes, in pieces.
        func pieces() throws -> [[UInt8]] {
            let call = RawConnection.call("AppendStream", stream: 1)
            switch self {
            case .streams:
                return try (0..<10_000).map { try HostileClientTests.watch(stream: 2 * $0 + 1) }
            case .resets:
                return (0..<10_000).map { number in
                    RawConnection.call("Fetch", stream: 2 * number + 1)
                        + RawConnection.frame(
                            Kind.reset, stream: 2 * number + 1, RawConnection.bigEndian(8))
                }
            case .pings:
                return (0..<10_000).map { _ in
                    RawConnection.frame(Kind.ping, [UInt8](repeating: 7, count: 8))
                }
            case .emptyFrames:
                let frame = RawConnection.frame(Kind.data, stream: 1)
                return [call] + [[UInt8]](repeating: frame, count: 10_000)
            case .continuations:
                let field = RawConnection.field("x-more", String(repeating: "x", count: 100))
                let frame = RawConnection.frame(Kind.continuation, stream: 1, field)
                return [RawConnection.call("Fetch", stream: 1, isWhole: false)]
                    + [[UInt8]](repeating: frame, count: 100_000)
            case .headers:
                let field = RawConnection.field("x-more", String(repeating: "x", count: 100))
                let fields = [[UInt8]](repeating: field, count: 500).flatMap(\.self)
                return [RawConnection.call("Fetch", stream: 1, more: fields)]
            case .hugeFrame:
                // Says that 16 MiB follow, and begins to send them.
                let piece = [UInt8](repeating: 0, count: 1 << 16)
                return [call, [0xFF, 0xFF, 0xFF, Kind.data, 0, 0, 0, 0, 1]]
                    + [[UInt8]](repeating: piece, count: 256)
            case .anotherProtocol:
                return [Array("GET / HTTP/1.1\r\nHost: localhost\r\n\r\n".utf8)]
            }
        }

        /// Whether it begins as HTTP/2 does.
        var greets: Bool { self != .anotherProtocol }
    }

    @Test("A flood ends its own connection, and costs little", arguments: Flood.allCases)
    func flood(_ flood: Flood) async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"))
        try #require(daemon.isReady)
        try await Self.besideAnHonestClient(of: daemon) {
            let before = try daemon.peakMemoryBytes()
            try await onThread { try Self.run(flood, daemon.port) }
            #expect(try daemon.peakMemoryBytes() - before < 64 << 20)
            try await Self.wait(for: "mailbox_store_watchers 0\n", of: daemon)
        }
        let end = try await daemon.stop()
        #expect(end.status == 0, "\(end.notes)")
    }

    private static func run(_ flood: Flood, _ port: Int) throws {
        let connection = try RawConnection(port: port)
        if flood.greets { try connection.send(RawConnection.greeting) }
        for piece in try flood.pieces() {
            guard try connection.send(piece) else { return }
        }
        _ = try connection.untilEnd()
    }

    /// The address sanitizer keeps what was freed; not where memory is counted.
    private static var frugal: [String: String] {
        let options = ProcessInfo.processInfo.environment["ASAN_OPTIONS"].map { $0 + ":" } ?? ""
        return [
            "ASAN_OPTIONS": options + "quarantine_size_mb=0:thread_local_quarantine_size_kb=0"
        ]
    }

    @Test("A call that comes in one piece with what breaks its connection leaves nothing behind")
    func callBeforeTheEnd() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"), environment: Self.frugal)
        try #require(daemon.isReady)
        let port = daemon.port
        func callAndBreak(_ count: Int) async throws {
            try await onThread {
                for _ in 0..<count {
                    let connection = try RawConnection(port: port)
                    try connection.send(
                        RawConnection.greeting + RawConnection.call("AppendStream", stream: 1)
                            + [0xFF, 0xFF, 0xFF, Kind.data, 0, 0, 0, 0, 1])
                    _ = try connection.untilEnd()
                }
            }
            try await Self.wait(for: "mailbox_store_connections_open 0\n", of: daemon)
        }
        try await callAndBreak(200)
        let before = try daemon.peakMemoryBytes()
        // A connection is some 27 KB.
        try await callAndBreak(1_000)
        #expect(try daemon.peakMemoryBytes() - before < 6 << 20)
        #expect(try await daemon.stop().status == 0)
    }

    @Test("A message that says to have 4 GiB ends its call, and no memory is taken for it")
    func hugeMessage() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"))
        try #require(daemon.isReady)
        let before = try daemon.peakMemoryBytes()
        let port = daemon.port
        let isServed = try await onThread {
            let connection = try RawConnection(port: port)
            try connection.send(
                RawConnection.greeting + RawConnection.call("Append", stream: 1)
                    + RawConnection.frame(
                        Kind.data, stream: 1, [0, 0xFF, 0xFF, 0xFF, 0xFF, 1, 2, 3]))
            var isOver = false
            while !isOver, let frame = try connection.next() {
                let isEnd = frame.kind == Kind.headers && frame.flags & 1 != 0
                isOver = frame.stream == 1 && (isEnd || frame.kind == Kind.reset)
            }
            return try isOver && Self.isServed(connection, stream: 3)
        }
        #expect(isServed)
        #expect(try daemon.peakMemoryBytes() - before < 32 << 20)
        #expect(try await daemon.stop().status == 0)
    }

    // MARK: Readers that do not read

    /// Makes a mailbox of 4 MiB.
    private static func fill(_ daemon: Daemon) async throws -> MailboxID {
        let mailbox = try MailboxID(sender: "large", receiver: "r")
        try await withStoreClient(daemon.target) { client in
            let body = [UInt8](repeating: 7, count: 64 << 10)
            let batch = [Append](repeating: Append(mailbox, body: body), count: 64)
            for outcome in try await client.append(batch: batch) { _ = try outcome.get() }
        }
        return mailbox
    }

    @Test("Answers that nobody reads are not made: 1.6 GiB are asked for, few are in memory")
    func neverReads() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"), environment: Self.frugal)
        try #require(daemon.isReady)
        let mailbox = try await Self.fill(daemon)
        let before = try daemon.peakMemoryBytes()
        let frame = try Self.fetchFrame(mailbox)
        let streams = (0..<8).map { UInt32(2 * $0 + 1) }
        let connection = RawSendable(try RawConnection(port: daemon.port))
        try await onThread {
            try connection.raw.send(
                RawConnection.greeting
                    + streams.flatMap { RawConnection.call("FetchStream", stream: $0) })
            for stream in streams {
                for _ in 0..<100 {
                    try connection.raw.send(RawConnection.message(frame, stream: stream))
                }
            }
        }
        try await Self.besideAnHonestClient(of: daemon) {
            // Each stream has made what it makes at most, while others are served.
            try await Self.wait(of: daemon) { text in
                Self.value("mailbox_store_fetched_messages_total", in: text) >= 8 * 16
            }
        }
        #expect(try daemon.peakMemoryBytes() - before < 160 << 20)
        withExtendedLifetime(connection) {}
        let end = try await daemon.stop()
        #expect(end.status == 0, "\(end.notes)")
    }

    @Test("One backup at a time, however long its reader takes; when he goes, the next may")
    func backupThatNobodyReads() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(directory.file("store"))
        try #require(daemon.isReady)
        _ = try await Self.fill(daemon)
        let port = daemon.port
        let first = try await onThread {
            let connection = try RawConnection(port: port)
            try connection.send(
                RawConnection.greeting
                    + RawConnection.call("Backup", of: "AdminService", stream: 1)
                    + RawConnection.message([], stream: 1, isLast: true))
            while let frame = try connection.next(), frame.kind != Kind.data {}
            return RawSendable(connection)
        }
        // It lets 64 KiB come, of 4 MiB: the backup is under way, and stays so.
        let second = try await Self.backUp(daemon, to: directory.file("second"))
        #expect(second.status != 0)
        #expect(second.notes.contains("a backup is under way already"), "\(second.notes)")
        first.raw.end()
        let deadline = ContinuousClock.now + .seconds(60)
        var third = try await Self.backUp(daemon, to: directory.file("third"))
        while third.status != 0, ContinuousClock.now < deadline {
            third = try await Self.backUp(daemon, to: directory.file("third"))
        }
        #expect(third.status == 0, "\(third.notes)")
        let left = try FileManager.default.contentsOfDirectory(atPath: directory.file("store"))
        #expect(!left.contains { $0.hasPrefix("backup-") })
        #expect(try await daemon.stop().status == 0)
    }

    private static func backUp(
        _ daemon: Daemon, to path: String
    ) async throws -> (status: Int32, output: String, notes: String) {
        try await mailboxctl(["backup", "--connect", "127.0.0.1:\(daemon.port)", path])
    }

    /// A frame of one fetch that wants 2 MiB.
    private static func fetchFrame(_ mailbox: MailboxID) throws -> [UInt8] {
        try Wire.StoreService.Method.FetchStream.Input.with { frame in
            frame.fetches = [
                .with { fetch in
                    fetch.mailbox = Wire.MailboxID(mailbox)
                    fetch.cursor = Wire.Cursor(.zero)
                    fetch.limit.messages = 1_000
                    fetch.limit.bytes = 2 << 20
                }
            ]
        }.serializedBytes()
    }

    // MARK: Beside them

    /// Runs `body` while another client appends and fetches, and checks that it was served all the
    /// time.
    private static func besideAnHonestClient(
        of daemon: Daemon, _ body: @escaping @Sendable () async throws -> Void
    ) async throws {
        let mailbox = try MailboxID(sender: "honest", receiver: "client")
        let device = try DeviceID("phone")
        let goOn = Switch()
        let sent = try await withStoreClient(daemon.target) { client in
            try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { goOn.turnOff() }
                    try await body()
                }
                var number: ClientSequence = 0
                // At least so many, also after a flood that is over at once.
                while number < 50 || goOn.isOn {
                    number += 1
                    let producer = Producer(device: device, clientSequence: number)
                    let result = try await client.append(
                        Append(mailbox, producer: producer, text: "\(number)"))
                    #expect(result.sequence == number && !result.isDuplicate)
                    _ = try await client.head(mailbox)
                }
                try await group.waitForAll()
                return number
            }
        }
        try await withStoreClient(daemon.target) { client in
            let head = try await client.head(mailbox)
            #expect(head.max == sent)
        }
    }

    /// Waits until the metrics have a line.
    private static func wait(for line: String, of daemon: Daemon) async throws {
        try await wait(of: daemon) { $0.contains(line) }
    }

    private static func wait(
        of daemon: Daemon, until isThere: (String) -> Bool
    ) async throws {
        let deadline = ContinuousClock.now + .seconds(60)
        var text = try await daemon.page("metrics").text
        while !isThere(text) {
            try #require(ContinuousClock.now < deadline, "\(text)")
            text = try await daemon.page("metrics").text
        }
    }

    private static func value(_ metric: String, in text: String) -> Double {
        let line = text.split(separator: "\n").first { $0.hasPrefix(metric + " ") }
        return line.flatMap { Double($0.dropFirst(metric.count + 1)) } ?? 0
    }
}

/// A connection that one thread after another uses: Sendable.
private final class RawSendable: @unchecked Sendable {
    let raw: RawConnection
    init(_ raw: RawConnection) { self.raw = raw }
}
