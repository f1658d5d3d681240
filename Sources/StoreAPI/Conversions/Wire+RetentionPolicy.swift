package import Mailbox

extension Wire.RetentionPolicy {
    /// The policy as it goes over the wire.
    package init(_ policy: RetentionPolicy) {
        self.init()
        switch policy {
        case .unacknowledged: self.policy = .unacknowledged(.init())
        case .acknowledged(let milliseconds):
            self.policy = .acknowledgedForMilliseconds(milliseconds)
        case .newest(let count): self.policy = .newest(count)
        }
    }
}

extension RetentionPolicy {
    /// The policy that came over the wire.
    ///
    /// - Throws: `invalidArgument` when it names none, or a negative duration.
    package init(wire: Wire.RetentionPolicy, field: String = "policy") throws(StoreError) {
        switch wire.policy {
        case .unacknowledged: self = .unacknowledged
        case .acknowledgedForMilliseconds(let milliseconds):
            guard milliseconds >= 0 else {
                throw .invalidArgument(
                    "\(field).acknowledged_for_milliseconds is \(milliseconds); "
                        + "it must be at least 0")
            }
            self = .acknowledged(forMilliseconds: milliseconds)
        case .newest(let count): self = .newest(count)
        case nil: throw .missing(field)
        }
    }
}

extension Wire.CompactResponse {
    /// The report as it goes over the wire.
    package init(_ report: CompactionReport) {
        self.init()
        mailboxesExamined = UInt64(clamping: report.mailboxesExamined)
        mailboxesCompacted = UInt64(clamping: report.mailboxesCompacted)
        messagesRemoved = UInt64(clamping: report.messagesRemoved)
        bodyBytesRemoved = report.bodyBytesRemoved
    }
}

extension CompactionReport {
    /// The report that came over the wire.
    package init(wire: Wire.CompactResponse) {
        self.init(
            mailboxesExamined: Int(clamping: wire.mailboxesExamined),
            mailboxesCompacted: Int(clamping: wire.mailboxesCompacted),
            messagesRemoved: Int(clamping: wire.messagesRemoved),
            bodyBytesRemoved: wire.bodyBytesRemoved)
    }
}
