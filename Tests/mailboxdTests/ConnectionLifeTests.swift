import Foundation
import Mailbox
import StoreAPI
import Testing

@Suite("How long connections live")
struct ConnectionLifeTests {
    private typealias Kind = RawConnection.Kind

    /// Answers every ping, as any client does, until the server ends the connection.
    ///
    /// - Returns: whether the server said that it would.
    private static func isTold(_ port: Int, watches: Bool) throws -> Bool {
        let connection = try RawConnection(port: port)
        try connection.send(RawConnection.greeting)
        if watches { try connection.send(HostileClientTests.watch(stream: 1)) }
        var isTold = false
        while let frame = try connection.next() {
            isTold = isTold || frame.kind == Kind.goAway
            guard frame.kind == Kind.ping, !frame.isAcknowledgement else { continue }
            try connection.send(RawConnection.frame(Kind.ping, flags: 1, frame.payload))
        }
        return isTold
    }

    @Test("Who does not say that he heard the farewell loses his connection all the same")
    func deaf() async throws {
        let directory = try TestDirectory()
        // Silence alone ends none of them.
        let daemon = try await Daemon.start(
            directory.file("store"),
            [
                "--limits-age-seconds", "1", "--limits-grace-seconds", "1",
                "--limits-keepalive-seconds", "3600",
            ])
        try #require(daemon.isReady)
        let port = daemon.port
        let heard = try await onThread {
            let connection = try RawConnection(port: port)
            try connection.send(RawConnection.greeting + HostileClientTests.watch(stream: 1))
            return try connection.untilEnd()
        }
        #expect(heard.contains { $0.kind == Kind.goAway })
        #expect(try await daemon.stop().status == 0)
    }

    @Test("A connection without a call is ended after its idle time, one with a call is not")
    func idle() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            directory.file("store"), ["--limits-idle-seconds", "1"])
        try #require(daemon.isReady)
        let port = daemon.port
        try await withStoreClient(daemon.target) { client in
            let bob = try Address("bob")
            let watch = try await client.watch([bob])
            let isTold = try await onThread { try Self.isTold(port, watches: false) }
            #expect(isTold)
            // The watch is older, and has not begun anew: then it would be caught up twice.
            let mailbox = try MailboxID(sender: "alice", receiver: "bob")
            _ = try await client.append(Append(mailbox, text: "x"))
            var catchUps = 0
            for try await event in watch {
                if case .caughtUp = event { catchUps += 1 }
                if case .head = event { break }
            }
            #expect(catchUps == 1)
        }
        #expect(try await daemon.stop().status == 0)
    }

    @Test("A connection is ended at its age, calls or not; a client goes on over the next one")
    func age() async throws {
        let directory = try TestDirectory()
        let daemon = try await Daemon.start(
            directory.file("store"),
            ["--limits-age-seconds", "1", "--limits-grace-seconds", "1"])
        try #require(daemon.isReady)
        let port = daemon.port
        let goOn = Switch()
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let device = try DeviceID("phone")
        let sent = try await withStoreClient(daemon.target) { client in
            let watch = try await client.watch([mailbox.receiver])
            return try await withThrowingTaskGroup(of: Void.self) { group in
                group.addTask {
                    defer { goOn.turnOff() }
                    // So long the client works that its first connection is two others old.
                    for _ in 0..<3 {
                        let isTold = try await onThread { try Self.isTold(port, watches: true) }
                        #expect(isTold)
                    }
                }
                var number: ClientSequence = 0
                while goOn.isOn {
                    number += 1
                    let producer = Producer(device: device, clientSequence: number)
                    let result = try await client.append(
                        Append(mailbox, producer: producer, text: "\(number)"))
                    #expect(result.sequence == number)
                }
                try await group.waitForAll()
                let last = number
                for try await event in watch {
                    if case .head(mailbox, let head) = event, head.max == last { break }
                }
                return last
            }
        }
        #expect(sent > 3)
        let head = try await withStoreClient(daemon.target) { try await $0.head(mailbox) }
        #expect(head.max == sent)
        #expect(try await daemon.stop().status == 0)
    }
}
