package import Mailbox

extension Wire.Head {
    /// The head as it goes over the wire.
    package init(_ head: Head) {
        self.init()
        maxSequence = head.max
        acknowledgedSequence = head.acknowledged
        floor = head.floor
        bodyBytes = head.bodyBytes
        newestTimestampMilliseconds = head.newestTimestampMilliseconds
    }
}

extension Head {
    /// The head that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is missing, or not floor ≤ acknowledged ≤ max.
    package init(wire: Wire.Head?, field: String = "head") throws(StoreError) {
        guard let wire else { throw .missing(field) }
        guard wire.floor <= wire.acknowledgedSequence,
            wire.acknowledgedSequence <= wire.maxSequence
        else { throw .invalidArgument("\(field): not floor ≤ acknowledged ≤ max") }
        self.init(
            max: wire.maxSequence, acknowledged: wire.acknowledgedSequence, floor: wire.floor,
            bodyBytes: wire.bodyBytes,
            newestTimestampMilliseconds: wire.newestTimestampMilliseconds)
    }
}

extension Wire.MailboxHead {
    /// A mailbox and its head as they go over the wire.
    package init(_ mailbox: MailboxID, _ head: Head) {
        self.init()
        self.mailbox = Wire.MailboxID(mailbox)
        self.head = Wire.Head(head)
    }

    /// The mailbox and its head.
    ///
    /// - Throws: `invalidArgument` when either is missing or none.
    package func decoded() throws(StoreError) -> (mailbox: MailboxID, head: Head) {
        (
            try MailboxID(wire: hasMailbox ? mailbox : nil),
            try Head(wire: hasHead ? head : nil)
        )
    }
}
