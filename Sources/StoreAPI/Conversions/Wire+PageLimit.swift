package import Mailbox

extension Wire.PageLimit {
    /// The limit as it goes over the wire. Precondition: the limit is valid, because 0 says
    /// "the default" there; see `PageLimit.check()`.
    package init(_ limit: PageLimit) {
        precondition(limit.messages > 0 && limit.bytes > 0)
        self.init()
        messages = UInt32(clamping: limit.messages)
        bytes = UInt64(limit.bytes)
    }
}

extension PageLimit {
    /// The limit that came over the wire: what is missing or 0 takes the default.
    package init(wire: Wire.PageLimit?) {
        self = .standard
        guard let wire else { return }
        if wire.messages > 0 { messages = Int(wire.messages) }
        if wire.bytes > 0 { bytes = Int(clamping: wire.bytes) }
    }
}
