package import Mailbox

extension Wire.MailboxID {
    /// The mailbox as it goes over the wire.
    package init(_ mailbox: MailboxID) {
        self.init()
        sender = mailbox.sender.description
        receiver = mailbox.receiver.description
    }
}

extension MailboxID {
    /// The mailbox that came over the wire.
    ///
    /// - Parameter field: the field's name, for the error.
    /// - Throws: `invalidArgument` when it is missing or an address is none.
    package init(wire: Wire.MailboxID?, field: String = "mailbox") throws(StoreError) {
        guard let wire else { throw .missing(field) }
        self.init(
            sender: try Address(wire: wire.sender, field: "\(field).sender"),
            receiver: try Address(wire: wire.receiver, field: "\(field).receiver"))
    }
}

extension Address {
    /// The address that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is none.
    package init(wire: String, field: String) throws(StoreError) {
        self = try inField(field) { () throws(StoreError) in try Address(wire) }
    }
}
