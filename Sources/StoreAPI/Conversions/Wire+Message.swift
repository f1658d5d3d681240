internal import Foundation
package import Mailbox

extension Wire.Message {
    /// The message as it goes over the wire.
    package init(_ message: Message) {
        self.init()
        sequence = message.sequence
        timestampMilliseconds = message.timestampMilliseconds
        if let producer = message.producer { self.producer = Wire.Producer(producer) }
        body = Data(message.body)
    }
}

extension Message {
    /// The message that came over the wire.
    ///
    /// - Throws: `invalidArgument` when its sequence is 0, its timestamp is out of range, or its
    ///   device is none.
    package init(wire: Wire.Message, field: String = "message") throws(StoreError) {
        guard wire.sequence > 0 else { throw .missing("\(field).sequence") }
        guard (0...MessageEncoding.maximumTimestamp).contains(wire.timestampMilliseconds) else {
            throw .invalidArgument("\(field).timestamp_milliseconds is out of range")
        }
        var producer: Producer?
        if wire.hasProducer {
            producer = try Producer(wire: wire.producer, field: "\(field).producer")
        }
        self.init(
            sequence: wire.sequence, timestampMilliseconds: wire.timestampMilliseconds,
            producer: producer, body: Array(wire.body)[...])
    }
}

extension MessageBatch {
    /// The messages that came over the wire.
    ///
    /// - Throws: `invalidArgument` when one is none, or when their sequences have holes.
    package init(wire: [Wire.Message], field: String = "messages") throws(StoreError) {
        var messages: [Message] = []
        messages.reserveCapacity(wire.count)
        for each in wire {
            let message = try Message(wire: each, field: field)
            if let last = messages.last {
                guard last.sequence < .max, message.sequence == last.sequence + 1 else {
                    throw .invalidArgument("\(field): the sequences have holes")
                }
            }
            messages.append(message)
        }
        self.init(messages)
    }
}
