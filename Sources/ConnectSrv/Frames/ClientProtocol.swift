internal import ClientWire

// The generated types of what devices and this server say, under short names.

typealias ClientFrame = Mailbox_Client_V1_ClientFrame
typealias ClientRequest = Mailbox_Client_V1_ClientFrame.OneOf_Content
typealias ServerFrame = Mailbox_Client_V1_ServerFrame
typealias ServerAnswer = Mailbox_Client_V1_ServerFrame.OneOf_Content
typealias GoodbyeReason = Mailbox_Client_V1_GoodbyeReason
typealias RefusalCode = Mailbox_Client_V1_RefusalCode
typealias Refused = Mailbox_Client_V1_Refused
typealias Hello = Mailbox_Client_V1_Hello
typealias Welcome = Mailbox_Client_V1_Welcome
typealias Notice = Mailbox_Client_V1_Notice
typealias Pushed = Mailbox_Client_V1_Pushed
typealias Pong = Mailbox_Client_V1_Pong
typealias Goodbye = Mailbox_Client_V1_Goodbye

extension Mailbox_Client_V1_ServerFrame {
    /// A frame that answers a request, or, with 0, none.
    init(_ request: UInt32, _ content: ServerAnswer) {
        self.init()
        self.request = request
        self.content = content
    }
}
