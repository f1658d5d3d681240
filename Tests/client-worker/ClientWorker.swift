import Foundation
import Logging
import Mailbox
import MailboxClient
import Synchronization

#if canImport(Glibc)
    import Glibc
#endif

/// A client that sends to its own account and receives from it, until it is killed, and says on
/// standard output what it was promised.
///
/// `S body` goes out when a message is saved, `D body` when one is delivered, `C body` when it is
/// confirmed. What was said before the kill is what the database and the server are held to.
///
/// Arguments: the database, the server, a file with the token, the account, the life's number, and
/// how many messages are sent at most. With 0 messages it ends by itself, when nothing waits any
/// more.
@main
enum ClientWorker {
    static func main() async throws {
        let arguments = CommandLine.arguments
        guard arguments.count == 7, let life = Int(arguments[5]), let count = Int(arguments[6])
        else { exit(64) }
        // Counted from here on by whoever kills at a system call.
        say("BEGIN")
        let tokenPath = arguments[3]
        let own = try Address(arguments[4])
        var configuration = ClientConfiguration()
        configuration.timing.backoffInitialMilliseconds = 5
        configuration.timing.backoffMaximumMilliseconds = 50
        let client = try MailboxClient(
            path: arguments[1], transport: WebSocketTransport(to: ServerAddress(arguments[2])),
            configuration: configuration,
            logger: Logger(label: "worker") { _ in SwiftLogNoOpLogHandler() },
            tokens: { _ in try String(contentsOfFile: tokenPath, encoding: .utf8) })
        let clock = SystemClientClock()
        await client.start()
        let caughtUp = CaughtUp()
        try await withThrowingTaskGroup(of: Void.self) { group in
            group.addTask {
                for await event in client.events where event == .caughtUp {
                    caughtUp.note()
                }
            }
            group.addTask { try await receive(client) }
            try await send(count, life, to: own, client)
            // Alive until it is killed, or, at the end of everything, until nothing waits.
            while count > 0 { try await clock.wait(milliseconds: 60_000) }
            while true {
                let statistics = try await client.statistics()
                if caughtUp.isNoted, statistics.waitingCount == 0,
                    statistics.unconfirmedCount == 0
                {
                    break
                }
                try await clock.wait(milliseconds: 5)
            }
            // Nothing comes behind what was fetched with the last cursor.
            try await clock.wait(milliseconds: 300)
            try await client.shutdown()
            try await group.waitForAll()
        }
        say("END")
    }

    private static func receive(_ client: MailboxClient) async throws {
        for await message in client.messages {
            let body = String(decoding: message.body, as: UTF8.self)
            say("D \(body)")
            try await client.confirm(message)
            say("C \(body)")
        }
    }

    /// Sends one after the other, and at times several at once, which share a sync.
    private static func send(
        _ count: Int, _ life: Int, to own: Address, _ client: MailboxClient
    ) async throws {
        var number = 0
        while number < count {
            let size = number % 8 == 4 ? 4 : 1
            try await withThrowingTaskGroup(of: Void.self) { group in
                for _ in 0..<size {
                    number += 1
                    let body = "\(life).\(number)"
                    group.addTask {
                        _ = try await client.send(Array(body.utf8), to: own)
                        say("S \(body)")
                    }
                }
                try await group.waitForAll()
            }
        }
    }

    /// One write a line: a kill cuts between lines.
    private static func say(_ line: String) {
        let bytes = Array((line + "\n").utf8)
        _ = write(1, bytes, bytes.count)
    }
}

/// Whether what waited on the server was stored.
private final class CaughtUp: Sendable {
    private let state = Atomic<Bool>(false)
    var isNoted: Bool { state.load(ordering: .acquiring) }
    func note() { state.store(true, ordering: .releasing) }
}
