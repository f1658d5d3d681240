/// What a device must not do with its WebSocket, or say: the connection ends.
struct ProtocolViolation: Error, Hashable, Sendable {
    /// The code of the WebSocket's close (RFC 6455, section 7.4.1).
    let closeCode: UInt16
    /// For the device's people.
    let message: String

    static let undecodable = ProtocolViolation(
        closeCode: 1007, message: "a message is no frame of this subprotocol")
    static let notUTF8 = ProtocolViolation(
        closeCode: 1007, message: "a text message is not valid UTF-8")
    static let binaryExpected = ProtocolViolation(
        closeCode: 1003, message: "mailbox.v1.proto takes binary messages, not text")
    static let textExpected = ProtocolViolation(
        closeCode: 1003, message: "mailbox.v1.json takes text messages, not binary")
    static let notMasked = outOfTurn("a frame from a client must be masked")
    static let reservedBits = outOfTurn("a frame has reserved bits, but no extension was agreed")
    static let reservedOpcode = outOfTurn("a frame has an opcode that nobody knows")
    static let malformedControl = outOfTurn(
        "a control frame must be whole, and have at most 125 bytes")
    static let malformedClose = outOfTurn("a close frame has a code that may not be sent")
    static let strayContinuation = outOfTurn("a continuation continues nothing")
    static let interleaved = outOfTurn("a message began before the one before it had ended")

    static func tooLarge(maximum: Int) -> ProtocolViolation {
        ProtocolViolation(
            closeCode: 1009, message: "a message may have at most \(maximum) bytes")
    }

    static func tooManyFragments(maximum: Int) -> ProtocolViolation {
        ProtocolViolation(
            closeCode: 1009, message: "a message may come in at most \(maximum) frames")
    }

    /// Something that is right in itself, in the wrong place.
    static func outOfTurn(_ message: String) -> ProtocolViolation {
        ProtocolViolation(closeCode: 1002, message: message)
    }
}
