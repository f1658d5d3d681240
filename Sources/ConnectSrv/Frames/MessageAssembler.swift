internal import NIOCore
internal import NIOWebSocket

/// Makes messages of WebSocket frames, and refuses what RFC 6455 forbids a client.
///
/// Bounds: a message has at most so many frames and bytes; what is kept is one message's fragments.
struct MessageAssembler {
    /// What came.
    enum Incoming: Equatable {
        /// A whole message, in the form that was agreed.
        case message(ByteBuffer)
        /// To be answered by a pong with the same bytes.
        case ping(ByteBuffer)
        /// A sign of life.
        case pong
        /// The other side closes, with a code or without.
        case close(UInt16?)
    }

    private let format: WireFormat
    private let bytesMaximum: Int
    private let fragmentsMaximum: Int
    private var fragments: ByteBuffer?
    private var fragmentCount = 0

    init(format: WireFormat, bytesMaximum: Int, fragmentsMaximum: Int) {
        self.format = format
        self.bytesMaximum = bytesMaximum
        self.fragmentsMaximum = fragmentsMaximum
    }

    /// Whether a message has begun and not ended.
    var isInMessage: Bool { fragments != nil }

    /// Takes one frame.
    ///
    /// - Returns: nil when a message goes on.
    /// - Throws: why the connection must end; the assembler is not to be used again.
    mutating func receive(_ frame: WebSocketFrame) throws(ProtocolViolation) -> Incoming? {
        guard frame.maskKey != nil else { throw .notMasked }
        guard frame.reservedBits.isEmpty else { throw .reservedBits }
        switch frame.opcode {
        case .ping: return .ping(try control(frame))
        case .pong:
            _ = try control(frame)
            return .pong
        case .connectionClose: return .close(try closeCode(try control(frame)))
        case .text, .binary: return try begin(frame)
        case .continuation: return try proceed(frame)
        default: throw .reservedOpcode
        }
    }

    private func control(_ frame: WebSocketFrame) throws(ProtocolViolation) -> ByteBuffer {
        guard frame.fin, frame.length <= 125 else { throw .malformedControl }
        return frame.unmaskedData
    }

    private func closeCode(_ payload: ByteBuffer) throws(ProtocolViolation) -> UInt16? {
        var payload = payload
        guard payload.readableBytes > 0 else { return nil }
        guard let code = payload.readInteger(as: UInt16.self) else { throw .malformedClose }
        switch code {
        case 1000...1003, 1007...1014, 3000...4999: break
        default: throw .malformedClose
        }
        guard Self.isUTF8(payload) else { throw .notUTF8 }
        return code
    }

    private mutating func begin(_ frame: WebSocketFrame) throws(ProtocolViolation) -> Incoming? {
        guard fragments == nil else { throw .interleaved }
        guard frame.opcode == format.opcode else {
            throw format == .proto ? .binaryExpected : .textExpected
        }
        if frame.fin { return try whole(frame.unmaskedData) }
        fragmentCount = 0
        fragments = ByteBuffer()
        try add(frame)
        return nil
    }

    private mutating func proceed(_ frame: WebSocketFrame) throws(ProtocolViolation) -> Incoming? {
        guard fragments != nil else { throw .strayContinuation }
        try add(frame)
        guard frame.fin, let message = fragments else { return nil }
        fragments = nil
        return try whole(message)
    }

    private mutating func add(_ frame: WebSocketFrame) throws(ProtocolViolation) {
        fragmentCount += 1
        guard fragmentCount <= fragmentsMaximum else {
            throw .tooManyFragments(maximum: fragmentsMaximum)
        }
        let size = (fragments?.readableBytes ?? 0) + frame.length
        guard size <= bytesMaximum else { throw .tooLarge(maximum: bytesMaximum) }
        var data = frame.unmaskedData
        fragments?.writeBuffer(&data)
    }

    private func whole(_ message: ByteBuffer) throws(ProtocolViolation) -> Incoming {
        guard message.readableBytes <= bytesMaximum else {
            throw .tooLarge(maximum: bytesMaximum)
        }
        guard format == .proto || Self.isUTF8(message) else { throw .notUTF8 }
        return .message(message)
    }

    private static func isUTF8(_ bytes: ByteBuffer) -> Bool {
        bytes.withUnsafeReadableBytes { String(validating: $0, as: UTF8.self) != nil }
    }
}
