package import GRPCCore
package import GRPCProtobuf
package import Mailbox
internal import SwiftProtobuf

extension Wire.ErrorDetail {
    /// The error as it goes over the wire: without its cause, which is the server's own matter.
    package init(_ error: StoreError) {
        self.init()
        code = ErrorMap.wire(error.code)
        message = error.message
        let facts = error.facts
        if let expected = facts.expectedClientSequence { expectedClientSequence = expected }
        if let max = facts.maxSequence { maxSequence = max }
        if let epoch = facts.currentEpoch { currentEpoch = epoch.rawValue }
        if let floor = facts.floor { self.floor = floor }
        if let mailbox = facts.mailbox { self.mailbox = Wire.MailboxID(mailbox) }
    }
}

extension StoreError {
    /// The error that came over the wire. Facts that are none are left out: a refusal that cannot
    /// be read in full is still one.
    ///
    /// - Parameter status: the status of the call, where the error ended one.
    package init(wire: Wire.ErrorDetail, status: RPCError.Code? = nil) {
        var facts = Facts()
        if wire.hasExpectedClientSequence {
            facts.expectedClientSequence = wire.expectedClientSequence
        }
        if wire.hasMaxSequence { facts.maxSequence = wire.maxSequence }
        if wire.hasCurrentEpoch { facts.currentEpoch = Epoch(rawValue: wire.currentEpoch) }
        if wire.hasFloor { facts.floor = wire.floor }
        if wire.hasMailbox { facts.mailbox = try? MailboxID(wire: wire.mailbox) }
        self.init(
            code: ErrorMap.code(wire.code, status: status), message: wire.message, facts: facts)
    }
}

private let detailType = "type.googleapis.com/mailbox.store.v1.StoreErrorDetail"

extension GoogleRPCStatus {
    /// What a call that is refused ends with: the status of the table, and the typed detail.
    package init(_ error: StoreError) {
        var packed = Google_Protobuf_Any()
        packed.typeURL = detailType
        if let bytes = try? Wire.ErrorDetail(error).serializedData() { packed.value = bytes }
        self.init(
            code: ErrorMap.status(error.code), message: error.message, details: [.any(packed)])
    }
}

extension StoreError {
    /// The typed refusal that a failed call carries, nil when it carries none: then no store
    /// answered, but something between.
    package init?(detailOf error: RPCError) {
        guard let status = try? error.unpackGoogleRPCStatus() else { return nil }
        for detail in status.details {
            guard let packed = detail.any, packed.typeURL == detailType,
                let wire = try? Wire.ErrorDetail(serializedBytes: packed.value)
            else { continue }
            self.init(wire: wire, status: error.code)
            return
        }
        return nil
    }
}
