internal import Foundation
package import Mailbox

extension Wire.Append {
    /// The append as it goes over the wire.
    package init(_ append: Append) {
        self.init()
        sender = append.mailbox.sender.description
        receiver = append.mailbox.receiver.description
        if let producer = append.producer { self.producer = Wire.Producer(producer) }
        body = Data(append.body)
    }
}

extension Append {
    /// The append that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is missing, or an address or the device is none.
    package init(wire: Wire.Append?, field: String = "append") throws(StoreError) {
        guard let wire else { throw .missing(field) }
        let mailbox = MailboxID(
            sender: try Address(wire: wire.sender, field: "\(field).sender"),
            receiver: try Address(wire: wire.receiver, field: "\(field).receiver"))
        var producer: Producer?
        if wire.hasProducer {
            producer = try Producer(wire: wire.producer, field: "\(field).producer")
        }
        self.init(mailbox, producer: producer, body: Array(wire.body))
    }
}

/// What became of one append among several.
package typealias AppendOutcome = Result<AppendResult, StoreError>

extension Wire.AppendResult {
    /// The result as it goes over the wire.
    package init(_ result: AppendResult) {
        self.init()
        sequence = result.sequence ?? 0
        isDuplicate = result.isDuplicate
        durability = Wire.Durability(result.durability)
        if let timestamp = result.timestampMilliseconds { timestampMilliseconds = timestamp }
        epoch = result.epoch?.rawValue ?? 0
        wasResent = result.wasResent
    }
}

extension AppendResult {
    /// The result that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is missing, has no durability, or is a new message
    ///   without a sequence.
    package init(wire: Wire.AppendResult?, field: String = "result") throws(StoreError) {
        guard let wire else { throw .missing(field) }
        guard wire.sequence > 0 || wire.isDuplicate else { throw .missing("\(field).sequence") }
        self.init(
            sequence: wire.sequence == 0 ? nil : wire.sequence, isDuplicate: wire.isDuplicate,
            durability: try Durability(wire: wire.durability, field: "\(field).durability"),
            timestampMilliseconds: wire.hasTimestampMilliseconds
                ? wire.timestampMilliseconds : nil,
            epoch: Epoch(rawValue: wire.epoch), wasResent: wire.wasResent)
    }
}

extension Wire.AppendOutcome {
    /// The outcome as it goes over the wire.
    package init(_ outcome: AppendOutcome) {
        self.init()
        switch outcome {
        case .success(let result): self.outcome = .result(Wire.AppendResult(result))
        case .failure(let error): self.outcome = .error(Wire.ErrorDetail(error))
        }
    }

    /// The outcome that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is neither a result nor an error.
    package func decoded() throws(StoreError) -> AppendOutcome {
        switch outcome {
        case .result(let result): .success(try AppendResult(wire: result))
        case .error(let detail): .failure(StoreError(wire: detail))
        case nil: throw .missing("outcome")
        }
    }
}

extension Wire.Durability {
    /// The level as it goes over the wire.
    package init(_ durability: Durability) {
        switch durability {
        case .commit: self = .commit
        case .interval: self = .interval
        case .system: self = .system
        }
    }
}

extension Durability {
    /// The level that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it is missing or unknown.
    package init(wire: Wire.Durability, field: String = "durability") throws(StoreError) {
        switch wire {
        case .commit: self = .commit
        case .interval: self = .interval
        case .system: self = .system
        case .unspecified: throw .missing(field)
        case .UNRECOGNIZED(let value): throw .invalidArgument("\(field): unknown value \(value)")
        }
    }
}
