import Foundation
import Mailbox
import StoreAPI
import Testing

@Suite("The roles as processes")
struct RolesTests {
    private static func client(_ daemon: Daemon) -> StoreClientConfiguration { daemon.target }

    @Test("A message goes through send to the store, is pushed, and comes back through recv")
    func path() async throws {
        let directory = try TestDirectory()
        let store = try await Daemon.start(directory.file("store"))
        try #require(store.isReady)
        let listen = ["--listen-port", "0"]
        let recv = try await Daemon.start(
            role: "recv", listen + ["--store-address", "127.0.0.1:\(store.port)"])
        try #require(recv.isReady)
        let push = try await Daemon.start(
            role: "push",
            listen + [
                "--recv-addresses", "127.0.0.1:\(recv.port)", "--push-registry",
                directory.file("push.sqlite"),
            ])
        try #require(push.isReady)
        let send = try await Daemon.start(
            role: "send",
            listen + [
                "--store-address", "127.0.0.1:\(store.port)", "--push-addresses",
                "127.0.0.1:\(push.port)",
            ])
        try #require(send.isReady)

        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let phone = try DeviceID("phone")
        let sender = try SendClient(Self.client(send))
        let receiver = try RecvClient(Self.client(recv))
        let pushes = try PushClient([Self.client(push)])
        let running = [
            Task { try await sender.run() }, Task { try await receiver.run() },
            Task { try await pushes.run() },
        ]
        let (delivered, continuation) = AsyncStream.makeStream(of: Push.self)
        let attachment = pushes.attach("test") { continuation.yield($0) }
        attachment.report(
            PresenceChange(account: mailbox.receiver, device: phone, session: 1, isOnline: true))
        // The attachment is made in the background: messages are sent until one is pushed.
        var iterator = delivered.makeAsyncIterator()
        let sending = Task {
            for number in ClientSequence(1)... {
                if Task.isCancelled { return }
                let producer = Producer(device: phone, clientSequence: number)
                let result = try await sender.send(
                    Append(mailbox, producer: producer, text: "a secret body"))
                #expect(result.sequence == number)
            }
        }
        let pushed = try #require(await iterator.next())
        sending.cancel()
        try await sending.value
        #expect(pushed.mailbox == mailbox)
        let page = try await receiver.fetch(mailbox, cursor: .zero, limit: .standard)
        #expect(page.epoch == pushed.epoch)
        #expect(page.messages.count > 0)
        #expect(try await sender.sendState(mailbox, device: phone) == page.head.max)
        #expect(try await send.page("readyz").status == 200)
        #expect(try await send.page("metrics").text.contains("mailbox_send_messages_total"))
        #expect(try await push.page("metrics").text.contains("mailbox_push_attachments 1"))
        attachment.detach()
        sender.close()
        receiver.close()
        pushes.close()
        for task in running { try await task.value }
        for daemon in [send, push, recv, store] {
            let end = try await daemon.stop()
            #expect(end.status == 0, "\(end.notes)")
            #expect(!end.notes.contains("secret"))
        }
    }

    @Test(
        "What does not fit together keeps a role from starting, in one line",
        arguments: [
            (["push"], "push.registry is not set"),
            (["push", "--push-registry", "x", "--apns-key", "y"], "apns.key needs apns.keyId"),
            (["push", "--push-registry", "x", "--webhook-url", "y"], "come together"),
            (["send", "--store-address", ""], "store.address is not set"),
            (["send", "--store-address", "nowhere"], "HOST:PORT"),
            (["recv", "--peers-certificate", "x"], "peers.tls is false"),
            (["recv", "--store-address", "localhost:1,localhost:2"], "IPv4"),
            (["recv", "--directory", "x"], "is no flag"),
        ])
    func refused(_ arguments: [String], _ message: String) async throws {
        let end = try await mailboxd(arguments[0], arguments: Array(arguments.dropFirst()))
        #expect(end.status == 64)
        #expect(end.notes.contains(message), "\(end.notes)")
        #expect(end.output.isEmpty)
    }
}

private func mailboxd(
    _ role: String, arguments: [String]
) async throws -> (status: Int32, output: String, notes: String) {
    let daemon = try await Daemon.start(role: role, arguments)
    let end = try await daemon.end()
    return (end.status, daemon.readyLine, end.notes)
}
