import ArgumentParser
import MailboxClient

/// `mailboxctl receive`
struct ReceiveCommand: InterruptedCommand {
    static let configuration = CommandConfiguration(
        commandName: "receive",
        abstract: "Shows what came for a device, each message once.",
        usage: "mailboxctl receive --connect URL --token-file F --database DB [options]",
        discussion: """
            A message counts as received when its line was written: one that could not be is shown \
            again by the next receive. Without --follow it ends when everything that waited was \
            shown.

            EXAMPLES
              mailboxctl receive --connect ws://localhost:7190 --token-file t --database bert.db
              mailboxctl receive --connect ws://localhost:7190 --token-file t --database d --json
              mailboxctl receive --connect wss://chat.example --token-file t --database d --follow
            """)

    @OptionGroup(title: "The device") var device: ClientOptions

    @Flag(help: "Go on with what comes later, until Ctrl-C.")
    var follow = false

    @Option(help: "End after this many messages.")
    var count: Int?

    @OptionGroup var output: OutputOptions

    func validate() throws {
        if let count, count < 1 {
            throw ValidationError("--count is \(count); it must be 1 or more.")
        }
    }

    func execute(_ console: Console) async throws {
        let client = try device.open()
        let watch = ServerWatch(client)
        await client.start()
        do {
            var shown = Shown(client: client, left: count ?? .max)
            if follow {
                while shown.left > 0, try await shown.next(show, console) {}
            } else {
                // What came before, and was not shown, needs no server.
                try await shown.all(show, console)
                if shown.left > 0 {
                    try await catchUp(watch)
                    try await shown.all(show, console)
                }
            }
            if shown.left > 0, let failure = watch.failure { throw failure }
        } catch {
            try? await client.shutdown()
            if let failure = watch.failure { throw failure }
            throw error
        }
        try await client.shutdown()
    }

    private func catchUp(_ watch: ServerWatch) async throws {
        guard try await watch.wait(device.timeout, until: { watch.isCaughtUp }) else {
            throw Failure(
                code: "unavailable",
                message: "the server was not reached, or took no token, in time; what waits there "
                    + "waits on", status: .unavailable)
        }
    }

    private func show(_ message: StoredMessage, _ console: Console) throws(Failure) {
        if output.json {
            try console.write(.object(message.jsonMembers))
        } else {
            try console.write(
                "\(message.peer) \(message.sequence ?? 0): \(Text.body(message.body[...]))")
        }
        // Only what left this process counts as shown.
        try console.flush()
    }
}

/// Goes through what is not confirmed.
private struct Shown {
    let client: MailboxClient
    /// How many more are wanted.
    var left: Int
    private var iterator: IncomingMessages.Iterator

    init(client: MailboxClient, left: Int) {
        self.client = client
        self.left = left
        iterator = client.messages.makeAsyncIterator()
    }

    /// Shows the next message, when there is one; then confirms it.
    ///
    /// - Returns: false when the client was shut down, or the task is cancelled.
    mutating func next(
        _ show: (StoredMessage, Console) throws -> Void, _ console: Console
    ) async throws -> Bool {
        guard let message = await iterator.next() else { return false }
        try show(message, console)
        try await client.confirm(message)
        left -= 1
        return true
    }

    /// Shows all that is there.
    mutating func all(
        _ show: (StoredMessage, Console) throws -> Void, _ console: Console
    ) async throws {
        while left > 0 {
            let waiting = try await client.statistics().unconfirmedCount
            guard waiting > 0 else { return }
            for _ in 0..<min(waiting, left) {
                guard try await next(show, console) else { return }
            }
        }
    }
}

extension StoredMessage {
    /// The body is `body` when it is UTF-8, else `body64`.
    var jsonMembers: [(key: String, value: JSON)] {
        var members: [(key: String, value: JSON)] = [
            ("sender", .string(peer)),
            ("sequence", sequence.map(JSON.number) ?? .null),
            ("timestampMilliseconds", .number(timestampMilliseconds)),
        ]
        if let text = String(validating: body, as: UTF8.self) {
            members.append(("body", .string(text)))
        } else {
            members.append(("body64", .string(Text.base64(body[...]))))
        }
        return members
    }
}
