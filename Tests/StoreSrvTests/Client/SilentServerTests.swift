import Foundation
import Mailbox
import MailboxTesting
import StoreAPI
import StoreEngine
import Testing

@Suite("Connections that fall silent", .serialized)
struct SilentServerTests {
    @Test("Who hears nothing more connects anew: appends are stored once, all else goes on")
    func silence() async throws {
        let served = try ServedStore(.served(clock: ManualClock()))
        try await served.start()
        let running = try RunningClient(socketPath: served.socketPath) { configuration in
            configuration.keepaliveInterval = .milliseconds(100)
            configuration.keepaliveTimeout = .milliseconds(100)
        }
        let client = running.client
        let mailbox = try MailboxID(sender: "alice", receiver: "bob")
        let phone = try DeviceID("phone")
        let watch = try await client.watch([mailbox.receiver])
        let watching = Task {
            for try await event in watch {
                if case .head(mailbox, let head) = event, head.max == 5 { return }
            }
            throw StoreError(code: .failed, message: "the watch ended")
        }
        for number in ClientSequence(1)...5 {
            let producer = Producer(device: phone, clientSequence: number)
            let result = try await client.append(
                Append(mailbox, producer: producer, text: "\(number)"))
            #expect(result.sequence == number)
            let page = try await client.fetch(
                mailbox, cursor: .zero, limit: PageLimit(messages: 10))
            #expect(page.messages.count == Int(number))
            // What is said from here on is lost, in both directions, and nobody is told.
            served.proxy.silence()
        }
        try await watching.value
        let head = try await served.store.head(mailbox)
        #expect(head.max == 5)
        await running.end()
        await served.remove()
    }
}
