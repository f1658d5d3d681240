import ArgumentParser
import Mailbox
import MailboxClient

/// `mailboxctl send`
struct SendCommand: ConsoleCommand {
    static let configuration = CommandConfiguration(
        commandName: "send",
        abstract: "Sends one message as a device, and waits until the server has it.",
        usage: """
            mailboxctl send --connect URL --token-file F --database DB RECEIVER [BODY]
            mailboxctl send --connect URL --token-file F --database DB --pending
            """,
        discussion: """
            The message is saved in the database first. When the server does not accept it in time \
            (exit code 75), it stays there and goes with the next connection of any command on \
            this database: do not send it again, wait for it with --pending.

            EXAMPLES
              mailboxctl send --connect ws://localhost:7190 --token-file t --database a.db bert Hi
              mailboxctl send --connect wss://chat.example --token-file t --database d bert - --json
              mailboxctl send --connect ws://localhost:7190 --token-file t --database d --pending
            """)

    @OptionGroup(title: "The device") var device: ClientOptions

    @Argument(help: "Who receives it.")
    var receiver: String?

    @Argument(help: "The message; without it, or with -, it is read from standard input.")
    var body: String?

    @Flag(help: "Send nothing new; wait until everything that was saved is accepted.")
    var pending = false

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if pending, receiver != nil {
            throw ValidationError("Name a RECEIVER or --pending, not both.")
        }
        if !pending, receiver == nil { throw ValidationError("RECEIVER is missing.") }
    }

    func execute(_ console: Console) async throws {
        let peer = try receiver.map { try Address($0) }
        let bytes: [UInt8]
        switch body {
        case _ where pending: bytes = []
        case nil, "-": bytes = try AppendCommand.standardInput()
        case let text?: bytes = Array(text.utf8)
        }
        let client = try device.open()
        let watch = ServerWatch(client)
        do {
            if let peer {
                try await send(bytes, to: peer, client, watch, console)
            } else {
                try await drain(client, watch, console)
            }
        } catch {
            try? await client.shutdown()
            // What ended the client is the reason to tell.
            if let failure = watch.failure { throw failure }
            throw error
        }
        try await client.shutdown()
    }

    private func send(
        _ bytes: [UInt8], to peer: Address, _ client: MailboxClient, _ watch: ServerWatch,
        _ console: Console
    ) async throws {
        let message = try await client.send(bytes, to: peer)
        await client.start()
        let isSettled = try await watch.wait(device.timeout) { message.state != .saved }
        switch message.state {
        case .accepted(let sequence):
            try show(message.id, peer, sequence, console)
        case .refused(let reason):
            throw Failure(
                code: "\(reason)",
                message: "message \(message.id) to \(peer) can never be accepted",
                status: .data)
        case .saved:
            assert(!isSettled)
            throw Failure(
                code: "notAccepted",
                message:
                    "message \(message.id) to \(peer) is saved in \(device.database), and goes "
                    + "with the next connection; do not send it again, wait with --pending"
                    + watch.hint,
                status: .unknown)
        }
    }

    private func show(
        _ id: Int64, _ peer: Address, _ sequence: UInt32?, _ console: Console
    ) throws(Failure) {
        if output.json {
            try console.write(
                .object([
                    ("id", .number(id)), ("receiver", .string(peer.description)),
                    ("sequence", sequence.map(JSON.number) ?? .null),
                ]))
        } else {
            let place = sequence.map { "sequence \($0)" } ?? "stored before"
            try console.write("message \(id) to \(peer): accepted, \(place)")
        }
    }

    private func drain(
        _ client: MailboxClient, _ watch: ServerWatch, _ console: Console
    ) async throws {
        await client.start()
        let isDrained = try await watch.wait(device.timeout) {
            try await client.statistics().waitingCount == 0
        }
        let statistics = try await client.statistics()
        guard isDrained else {
            throw Failure(
                code: "notAccepted",
                message: "\(statistics.waitingCount) messages wait in \(device.database)"
                    + watch.hint,
                status: .unknown)
        }
        if output.json {
            try console.write(
                .object([
                    ("accepted", .number(statistics.acceptedCount)),
                    ("setAside", .number(statistics.refusedCount)),
                ]))
        } else {
            try console.write(
                "\(Text.count(statistics.acceptedCount)) accepted, none waits, "
                    + "\(Text.count(statistics.refusedCount)) set aside")
        }
    }
}
