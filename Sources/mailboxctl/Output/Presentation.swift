import Mailbox

// The store's values as JSON. The keys are documented in docs/MAILBOXCTL.md and stay.

extension MailboxID {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("sender", .string(sender.description)),
            ("receiver", .string(receiver.description)),
        ]
    }
}

extension Head {
    var jsonMembers: [(key: String, value: JSON)] {
        [
            ("max", .number(max)),
            ("acknowledged", .number(acknowledged)),
            ("floor", .number(floor)),
            ("waiting", .number(waitingCount)),
            ("stored", .number(storedCount)),
            ("bodyBytes", .number(bodyBytes)),
            ("newestTimestampMilliseconds", .number(newestTimestampMilliseconds)),
        ]
    }
}

extension Message {
    /// The body is `body` when it is UTF-8, else `body64`; the producer's keys are left out
    /// without one.
    var jsonMembers: [(key: String, value: JSON)] {
        var members: [(key: String, value: JSON)] = [
            ("sequence", .number(sequence)),
            ("timestampMilliseconds", .number(timestampMilliseconds)),
        ]
        if let producer {
            members.append(("device", .string(producer.device.description)))
            members.append(("clientSequence", .number(producer.clientSequence)))
        }
        if let text = String(validating: body, as: UTF8.self) {
            members.append(("body", .string(text)))
        } else {
            members.append(("body64", .string(Text.base64(body))))
        }
        return members
    }
}

extension FetchResult {
    func json(of mailbox: MailboxID) -> JSON {
        .object(
            mailbox.jsonMembers + [
                ("epoch", .string(epoch.description)),
                ("hasMore", .bool(hasMore)),
                ("head", .object(head.jsonMembers)),
                ("messages", .array(messages.map { .object($0.jsonMembers) })),
            ])
    }

    /// The messages and where the mailbox stands, for people.
    func show(on console: Console) throws(Failure) {
        var table = Table([("sequence", .right), ("time", .left), ("from", .left), ("body", .left)])
        for message in messages {
            let producer = message.producer.map { "\($0.device) \($0.clientSequence)" } ?? "–"
            table.add([
                "\(message.sequence)", Text.time(milliseconds: message.timestampMilliseconds),
                producer, Text.body(message.body),
            ])
        }
        if !messages.isEmpty { try console.write(table) }
        var summary = "\(Text.count(messages.count)) messages, \(Text.bytes(messages.bodyBytes))"
        if hasMore { summary += ", more wait" }
        summary += "; max \(head.max), acknowledged \(head.acknowledged), floor \(head.floor)"
        try console.write(summary + ", epoch \(epoch)")
    }
}
