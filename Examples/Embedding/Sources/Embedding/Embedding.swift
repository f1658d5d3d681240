import Mailbox
import StoreEngine

/// A program with a store inside: it appends, fetches, confirms, and comes back to what it stored.
@main
struct Embedding {
    static func main() async throws {
        guard CommandLine.arguments.count == 2 else {
            print("usage: Embedding DIRECTORY")
            return
        }
        let store = try MailboxStore.open(at: CommandLine.arguments[1])
        let mailbox = try MailboxID(sender: "anna", receiver: "bert")
        let phone = try DeviceID("phone")

        // What the store has of this device says which number comes next: a resend after a crash
        // begins there, and can store nothing twice.
        let last = try store.sendState(mailbox, device: phone)
        for number in (last + 1)...(last + 3) {
            let answer = try await store.append(
                Append(
                    mailbox, producer: Producer(device: phone, clientSequence: number),
                    text: "message \(number)"))
            // The message is on stable storage now: no crash takes it away.
            print("stored: sequence \(answer.sequence ?? 0)")
        }

        // Each fetch confirms the one before: the cursor says what is held.
        var cursor = Cursor.zero
        while true {
            let page = try store.fetch(mailbox, cursor: cursor, limit: PageLimit(messages: 2))
            guard let newest = page.messages.lastSequence else { break }
            for message in page.messages {
                print(
                    "fetched: \(message.sequence) \(String(decoding: message.body, as: UTF8.self))")
            }
            cursor = Cursor(newest, epoch: page.epoch)
        }
        let head = try store.head(mailbox)
        print("waiting: \(head.waitingCount) of \(head.max)")
        try store.close()
    }
}
