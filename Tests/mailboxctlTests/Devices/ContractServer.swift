import ClientWire
import Foundation
import Mailbox

/// What a server answers, in a few lines: the contract without a store.
struct ContractServer {
    typealias Frame = Mailbox_Client_V1_ServerFrame

    private struct Box {
        var messages: [Mailbox_Client_V1_Message] = []
        var last: [String: ClientSequence] = [:]
        var acknowledged: SequenceNumber = 0

        var head: Mailbox_Client_V1_Head {
            var head = Mailbox_Client_V1_Head()
            head.maxSequence = SequenceNumber(messages.count)
            head.acknowledgedSequence = acknowledged
            return head
        }

        mutating func acknowledge(_ cursor: Mailbox_Client_V1_Cursor) {
            acknowledged = max(acknowledged, min(cursor.sequence, SequenceNumber(messages.count)))
        }
    }

    private static let epoch: UInt64 = 7
    private static let pageCount = 5
    private var boxes: [MailboxID: Box] = [:]

    /// The answer to a frame, and what is pushed to whom.
    mutating func answer(
        _ frame: Mailbox_Client_V1_ClientFrame, of account: Address
    ) -> (answer: Frame, pushed: (Address, Frame)?) {
        var answer = Frame()
        answer.request = frame.request
        var pushed: (Address, Frame)?
        switch frame.content {
        case .hello: answer.welcome.epoch = Self.epoch
        case .send(let send): pushed = store(send, from: account, &answer)
        case .getSendStates(let question):
            answer.sendStates = .init()
            for receiver in question.receivers {
                var state = Mailbox_Client_V1_SendState()
                state.receiver = receiver
                let box = mailbox(account.description, receiver).flatMap { boxes[$0] }
                state.lastClientSequence = box?.last["device"] ?? 0
                answer.sendStates.states.append(state)
            }
        case .fetch(let fetch):
            answer.messages = .init()
            guard let mailbox = mailbox(fetch.sender, account.description) else { break }
            boxes[mailbox, default: Box()].acknowledge(fetch.cursor)
            answer.messages = page(mailbox)
        case .acknowledge(let acknowledge):
            answer.acknowledged.sender = acknowledge.sender
            guard let mailbox = mailbox(acknowledge.sender, account.description) else { break }
            boxes[mailbox, default: Box()].acknowledge(acknowledge.cursor)
        case .sync(let sync):
            answer.inbox.epoch = Self.epoch
            for entry in sync.cursors {
                guard let mailbox = mailbox(entry.sender, account.description) else { continue }
                boxes[mailbox, default: Box()].acknowledge(entry.cursor)
            }
            let waiting = boxes.keys.filter { $0.receiver == account }.map { page($0) }
            answer.inbox.mailboxes = waiting.filter { !$0.messages.isEmpty }
            answer.inbox.hasMore_p = waiting.contains(where: \.hasMore_p)
        default: answer.refused.code = .invalidArgument
        }
        return (answer, pushed)
    }

    private mutating func store(
        _ send: Mailbox_Client_V1_Send, from account: Address, _ answer: inout Frame
    ) -> (Address, Frame)? {
        guard let mailbox = mailbox(account.description, send.receiver) else { return nil }
        var box = boxes[mailbox] ?? Box()
        let last = box.last["device"] ?? 0
        guard send.clientSequence <= last + 1 else {
            answer.refused.code = .producerGap
            answer.refused.expectedClientSequence = last + 1
            return nil
        }
        guard send.clientSequence == last + 1 else {
            answer.accepted.isDuplicate = true
            return nil
        }
        var message = Mailbox_Client_V1_Message()
        message.sequence = SequenceNumber(box.messages.count + 1)
        message.device = "device"
        message.clientSequence = send.clientSequence
        message.body = send.body
        box.messages.append(message)
        box.last["device"] = send.clientSequence
        boxes[mailbox] = box
        answer.accepted.sequence = message.sequence
        var push = Frame()
        push.pushed.sender = account.description
        push.pushed.epoch = Self.epoch
        push.pushed.message = message
        return (mailbox.receiver, push)
    }

    private func page(_ mailbox: MailboxID) -> Mailbox_Client_V1_Messages {
        var page = Mailbox_Client_V1_Messages()
        guard let box = boxes[mailbox] else { return page }
        let rest = box.messages.dropFirst(Int(box.acknowledged))
        page.sender = mailbox.sender.description
        page.epoch = Self.epoch
        page.messages = Array(rest.prefix(Self.pageCount))
        page.hasMore_p = rest.count > Self.pageCount
        page.head = box.head
        return page
    }

    private func mailbox(_ sender: String, _ receiver: String) -> MailboxID? {
        try? MailboxID(sender: sender, receiver: receiver)
    }
}
