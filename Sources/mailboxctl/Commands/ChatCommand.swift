import ArgumentParser
import Mailbox
import MailboxClient

/// `mailboxctl chat`
struct ChatCommand: InterruptedCommand {
    static let configuration = CommandConfiguration(
        commandName: "chat",
        abstract: "Talks with somebody, from a terminal or through pipes.",
        usage: "mailboxctl chat --connect URL --token-file F --database DB PEER [options]",
        discussion: """
            Each line is a message. It is saved at once, also without a connection; accepted when \
            the server has it on stable storage; delivered when a chat of the receiver has shown \
            it. What came meanwhile comes when there is a connection. On a terminal the marks \
            stand beside the messages (… saved, ✓ accepted, ✓✓ delivered); through pipes each \
            step is a line. Ctrl-D ends, and what was not accepted goes with the next connection; \
            at the end of a pipe what was said is waited for, no longer than --timeout.

            EXAMPLES
              mailboxctl chat --connect ws://localhost:7190 --token-file t --database anna.db bert
              mailboxctl chat --connect wss://chat.example --token-file t --database d bert
            """)

    @OptionGroup(title: "The device") var device: ClientOptions

    @Argument(help: "Whom to talk with.")
    var peer: String

    @Flag(inversion: .prefixedNo, help: "Tell the peer what was shown here.")
    var receipts = true

    func execute(_ console: Console) async throws {
        let peer = try Address(peer)
        let client = try device.open()
        let terminal = Terminal.take(console)
        let output = ChatOutput(console: console, isScreen: terminal != nil)
        output.begin()
        defer {
            output.end()
            terminal?.giveBack()
        }
        let chat = Chat(client: client, peer: peer, sendsReceipts: receipts) { shown in
            output.show(shown)
            // Nobody sees what would come: it stays where it is.
            if output.failure != nil { Task { try? await client.shutdown() } }
        }
        let watch = ServerWatch(client) { chat.tell($0) }
        await client.start()
        let talk = Task {
            defer { output.stop() }
            try await chat.run()
        }
        // The client is shut down for good when no connection makes sense: then reading ends, too.
        let items = ChatInput.items(fromTerminal: terminal != nil)
        await read(items, chat, talk)
        if terminal == nil, !Task.isCancelled, watch.failure == nil {
            _ = try? await watch.wait(device.timeout) {
                try await client.statistics().waitingCount == 0
            }
        }
        try? await client.shutdown()
        _ = try? await talk.value
        if let failure = watch.failure { throw failure }
        if let failure = output.failure { throw failure }
    }

    /// Takes what is typed until there is no more, or the talk is over.
    private func read(
        _ items: AsyncStream<ChatInput.Item>, _ chat: Chat, _ talk: Task<Void, any Error>
    ) async {
        let reading = Task {
            for await item in items {
                switch item {
                case .line(let text): await chat.say(text)
                case .typing(let text): chat.typing(text)
                }
            }
        }
        let ending = Task {
            _ = try? await talk.value
            reading.cancel()
        }
        await withTaskCancellationHandler {
            await reading.value
        } onCancel: {
            reading.cancel()
        }
        ending.cancel()
    }
}
