import Mailbox

/// What the operator's page asks for, as JSON has it.
enum OperatorAnswers {
    /// What the page begins with.
    struct About: Encodable {
        let version: String
        let epoch: String
        /// Whether texts of messages are shown.
        let bodies: Bool
    }

    /// A page of the mailboxes of one receiver.
    struct Inbox: Encodable {
        struct Mailbox: Encodable {
            let sender: String
            let max: UInt32
            let acknowledged: UInt32
            let floor: UInt32
            let waiting: UInt32
            let stored: UInt32
            let bodyBytes: UInt64
            let newestMilliseconds: Int64

            init(_ entry: InboxPage.Entry) {
                sender = entry.sender.description
                max = entry.head.max
                acknowledged = entry.head.acknowledged
                floor = entry.head.floor
                waiting = entry.head.waitingCount
                stored = entry.head.storedCount
                bodyBytes = entry.head.bodyBytes
                newestMilliseconds = entry.head.newestTimestampMilliseconds
            }
        }

        let receiver: String
        let mailboxes: [Mailbox]
        /// What the next page comes after; nil when this is the last.
        let next: String?
    }

    /// A page of one mailbox.
    struct Messages: Encodable {
        struct Message: Encodable {
            /// The most bytes of a body that are shown.
            static let bodyBytesMaximum = 4_096

            let sequence: UInt32
            let milliseconds: Int64
            let device: String?
            let clientSequence: UInt32?
            let bytes: Int
            /// The beginning of the body; nil when bodies are not shown, or it is no text.
            let text: String?

            init(_ message: Mailbox.Message, showsBody: Bool) {
                sequence = message.sequence
                milliseconds = message.timestampMilliseconds
                device = message.producer.map { "\($0.device)" }
                clientSequence = message.producer?.clientSequence
                bytes = message.body.count
                text = showsBody ? Self.text(message.body) : nil
            }

            private static func text(_ body: ArraySlice<UInt8>) -> String? {
                guard let text = String(validating: body, as: UTF8.self) else { return nil }
                guard body.count > bodyBytesMaximum else { return text }
                var shown = ""
                for character in text {
                    guard shown.utf8.count + character.utf8.count <= bodyBytesMaximum else { break }
                    shown.append(character)
                }
                return shown + "…"
            }
        }

        let sender: String
        let receiver: String
        let messages: [Message]
        /// What the next page comes after; nil when this is the last.
        let next: UInt32?
    }

    /// Why there is no answer.
    struct Refused: Encodable {
        let error: String
    }
}
