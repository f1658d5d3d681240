internal import ClientWire

/// How a connection ends: what the device is told, and the WebSocket's close code.
struct Ending: Hashable, Sendable {
    /// What to decide by.
    let reason: GoodbyeReason
    /// For people; without bodies and tokens.
    let message: String
    /// RFC 6455's code where it has one for the reason; else 4000 and the reason's number.
    let closeCode: UInt16
    /// Do not connect again before this, in milliseconds from the goodbye on.
    let reconnectAfterMilliseconds: UInt32

    init(_ reason: GoodbyeReason, _ message: String, reconnectAfterMilliseconds: UInt32 = 0) {
        self.reason = reason
        self.message = message
        self.reconnectAfterMilliseconds = reconnectAfterMilliseconds
        closeCode =
            switch reason {
            case .done: 1000
            case .shutdown: 1001
            case .protocol: 1002
            case .overloaded: 1013
            case .internal: 1011
            case .replaced, .unauthenticated, .slow, .idle: 4000 + UInt16(reason.rawValue)
            case .unspecified, .UNRECOGNIZED: 1011
            }
    }

    init(_ violation: ProtocolViolation) {
        reason = .protocol
        message = violation.message
        reconnectAfterMilliseconds = 0
        closeCode = violation.closeCode
    }

    /// The frame that says so.
    var frame: ServerFrame {
        var goodbye = Goodbye()
        goodbye.reason = reason
        goodbye.message = message
        goodbye.reconnectAfterMilliseconds = reconnectAfterMilliseconds
        return ServerFrame(0, .goodbye(goodbye))
    }

    /// The reason in one word, for logs and metrics.
    var name: String { reason.shortName }
}

extension Mailbox_Client_V1_GoodbyeReason {
    /// In one lower-case word.
    var shortName: String {
        switch self {
        case .unspecified: "unspecified"
        case .done: "done"
        case .shutdown: "shutdown"
        case .replaced: "replaced"
        case .unauthenticated: "unauthenticated"
        case .protocol: "protocol"
        case .overloaded: "overloaded"
        case .slow: "slow"
        case .idle: "idle"
        case .internal: "internal"
        case .UNRECOGNIZED(let number): "\(number)"
        }
    }
}
