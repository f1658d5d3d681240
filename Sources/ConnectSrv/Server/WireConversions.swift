internal import ClientWire
internal import Foundation
internal import Mailbox

extension Message {
    /// As devices get it.
    var onWire: Mailbox_Client_V1_Message {
        var wire = Mailbox_Client_V1_Message()
        wire.sequence = sequence
        wire.timestampMilliseconds = timestampMilliseconds
        if let producer {
            wire.device = producer.device.description
            wire.clientSequence = producer.clientSequence
        }
        wire.body = Data(body)
        return wire
    }
}

extension Head {
    /// As devices get it.
    var onWire: Mailbox_Client_V1_Head {
        var wire = Mailbox_Client_V1_Head()
        wire.maxSequence = max
        wire.acknowledgedSequence = acknowledged
        wire.floor = floor
        wire.newestTimestampMilliseconds = newestTimestampMilliseconds
        return wire
    }
}

extension FetchResult {
    /// As devices get it.
    func onWire(sender: Address) -> Mailbox_Client_V1_Messages {
        var wire = Mailbox_Client_V1_Messages()
        wire.sender = sender.description
        wire.epoch = epoch.rawValue
        wire.messages = messages.map(\.onWire)
        wire.hasMore_p = hasMore
        wire.head = head.onWire
        return wire
    }
}

extension Mailbox_Client_V1_Cursor {
    /// 0 and no epoch is what a device holds that holds nothing.
    var cursor: Cursor { Cursor(sequence, epoch: Epoch(rawValue: epoch)) }
}
