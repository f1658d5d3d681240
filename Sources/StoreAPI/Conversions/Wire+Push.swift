internal import Foundation
package import Mailbox

extension Wire.Push {
    /// The push as it goes over the wire.
    package init(_ push: Push) {
        self.init()
        mailbox = Wire.MailboxID(push.mailbox)
        epoch = push.epoch.rawValue
        switch push.content {
        case .message(let message): content = .message(Wire.Message(message))
        case .notice(let max): content = .noticeMaxSequence(max)
        }
    }
}

extension Push {
    /// The push that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is missing or none.
    package init(wire: Wire.Push) throws(StoreError) {
        let content: Content
        switch wire.content {
        case .message(let message): content = .message(try Message(wire: message))
        case .noticeMaxSequence(let max): content = .notice(max: max)
        case nil: throw .missing("content")
        }
        self.init(
            mailbox: try MailboxID(wire: wire.hasMailbox ? wire.mailbox : nil),
            epoch: try Epoch(wire: wire.epoch), content: content)
        guard sequence > 0 else { throw .invalidArgument("content: a sequence begins with 1") }
    }

    /// What the push takes in memory and on the wire, about.
    package var bytes: Int {
        switch content {
        case .message(let message): 256 + message.body.count
        case .notice: 256
        }
    }
}

extension Wire.PresenceChange {
    /// The change as it goes over the wire.
    package init(_ change: PresenceChange) {
        self.init()
        account = change.account.description
        device = change.device.description
        session = change.session
        isOnline = change.isOnline
    }
}

extension PresenceChange {
    /// The change that came over the wire.
    ///
    /// - Throws: `invalidArgument` when the account or the device is none.
    package init(wire: Wire.PresenceChange) throws(StoreError) {
        self.init(
            account: try Address(wire: wire.account, field: "account"),
            device: try DeviceID(wire: wire.device), session: wire.session, isOnline: wire.isOnline)
    }
}

extension Wire.RegisterDeviceRequest {
    /// The registration as it goes over the wire.
    package init(_ registration: PushRegistration) {
        self.init()
        account = registration.account.description
        device = registration.device.description
        switch registration.service {
        case .apns: service = .apns
        case .fcm: service = .fcm
        case .webhook: service = .webhook
        }
        token = registration.token
        topic = registration.topic
        isSandbox = registration.isSandbox
    }
}

extension PushRegistration {
    /// The registration that came over the wire.
    ///
    /// - Throws: `invalidArgument` when a part is none.
    package init(wire: Wire.RegisterDeviceRequest) throws(StoreError) {
        let service: Service
        switch wire.service {
        case .apns: service = .apns
        case .fcm: service = .fcm
        case .webhook: service = .webhook
        case .unspecified, .UNRECOGNIZED: throw .missing("service")
        }
        self.init(
            account: try Address(wire: wire.account, field: "account"),
            device: try DeviceID(wire: wire.device), service: service, token: wire.token,
            topic: wire.topic, isSandbox: wire.isSandbox)
        try check()
    }
}
