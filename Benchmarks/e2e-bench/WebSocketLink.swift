import ClientWire
import NIOCore
import SwiftProtobuf

/// The client's end of one WebSocket, with as little between frames and socket as the load allows:
/// no general HTTP, no general WebSocket, one handler a connection. On its event loop, all of it.
///
/// The mask of every frame is zero: the server takes it off as any other, and the client, which
/// shares the machine, need not put it on.
final class WebSocketLink: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    /// What is told of the connection; at most one of `ended`.
    protocol Owner: AnyObject {
        func upgraded(_ link: WebSocketLink)
        func received(_ frame: Mailbox_Client_V1_ServerFrame, _ link: WebSocketLink)
        func ended(_ link: WebSocketLink, _ reason: String)
        /// Something was written that is to be flushed in this turn of the event loop.
        func wrote(_ link: WebSocketLink)
    }

    private let host: String
    private weak var owner: (any Owner)?
    private var context: ChannelHandlerContext?
    private var input: ByteBuffer?
    private var isUpgraded = false
    private var isEnded = false
    private var reason = "the connection was cut"
    /// Whether something is written and not flushed.
    private(set) var isDirty = false

    init(host: String, owner: any Owner) {
        self.host = host
        self.owner = owner
    }

    // MARK: The channel

    func channelActive(context: ChannelHandlerContext) {
        self.context = context
        let request =
            "GET /v1/connect HTTP/1.1\r\nHost: \(host)\r\nConnection: Upgrade\r\n"
            + "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "Sec-WebSocket-Protocol: mailbox.v1.proto\r\n\r\n"
        context.writeAndFlush(
            wrapOutboundOut(context.channel.allocator.buffer(string: request)), promise: nil)
    }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        var data = unwrapInboundIn(data)
        if input == nil { input = data } else { input?.writeBuffer(&data) }
        if !isUpgraded { takeHead() }
        while isUpgraded, !isEnded, let (opcode, payload) = takeFrame() { take(opcode, payload) }
        if input?.readableBytes == 0 { input = nil }
    }

    func channelInactive(context: ChannelHandlerContext) {
        self.context = nil
        end()
    }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        reason = "\(error)"
        context.close(promise: nil)
    }

    /// Cuts the connection. Its end is told.
    func cut() { context?.close(promise: nil) }

    private func end() {
        guard !isEnded else { return }
        isEnded = true
        input = nil
        owner?.ended(self, reason)
    }

    // MARK: Frames

    /// Writes a frame; `flush` sends it.
    func write(_ frame: Mailbox_Client_V1_ClientFrame) {
        guard let bytes: [UInt8] = try? frame.serializedBytes() else { return }
        write(opcode: 2, bytes)
    }

    func flush() {
        isDirty = false
        context?.flush()
    }

    private func write(opcode: UInt8, _ payload: some Collection<UInt8>) {
        guard let context else { return }
        var buffer = context.channel.allocator.buffer(capacity: payload.count + 14)
        buffer.writeInteger(0x80 | opcode)
        switch payload.count {
        case ..<126: buffer.writeInteger(0x80 | UInt8(payload.count))
        case ..<65_536:
            buffer.writeInteger(0x80 | UInt8(126))
            buffer.writeInteger(UInt16(payload.count))
        default:
            buffer.writeInteger(0x80 | UInt8(127))
            buffer.writeInteger(UInt64(payload.count))
        }
        buffer.writeInteger(UInt32(0))
        buffer.writeBytes(payload)
        context.write(wrapOutboundOut(buffer), promise: nil)
        guard !isDirty else { return }
        isDirty = true
        owner?.wrote(self)
    }

    /// Passes over the answer to the upgrade.
    private func takeHead() {
        guard let view = input?.readableBytesView,
            let end = view.firstRange(of: [UInt8]([13, 10, 13, 10]))
        else { return }
        let status = String(decoding: view.prefix(12), as: UTF8.self)
        let count = view.distance(from: view.startIndex, to: end.upperBound)
        input?.moveReaderIndex(forwardBy: count)
        guard status == "HTTP/1.1 101" else {
            reason = "the upgrade was refused: \(status)"
            return cut()
        }
        isUpgraded = true
        owner?.upgraded(self)
    }

    private func takeFrame() -> (opcode: UInt8, payload: ByteBuffer)? {
        guard var buffer = input, let first: UInt8 = buffer.readInteger(),
            let second: UInt8 = buffer.readInteger()
        else { return nil }
        var length = Int(second & 0x7F)
        if length == 126 {
            guard let long: UInt16 = buffer.readInteger() else { return nil }
            length = Int(long)
        } else if length == 127 {
            guard let long: UInt64 = buffer.readInteger() else { return nil }
            length = Int(clamping: long)
        }
        guard let payload = buffer.readSlice(length: length) else { return nil }
        input = buffer
        return (first & 0x0F, payload)
    }

    private func take(_ opcode: UInt8, _ payload: ByteBuffer) {
        switch opcode {
        case 2:
            let bytes = Array(buffer: payload)
            guard let frame = try? Mailbox_Client_V1_ServerFrame(serializedBytes: bytes) else {
                reason = "a frame is no protobuf"
                return cut()
            }
            owner?.received(frame, self)
        case 9: write(opcode: 10, payload.readableBytesView)
        case 8:
            var payload = payload
            reason = "closed with \(payload.readInteger(as: UInt16.self) ?? 0)"
            cut()
        default: break
        }
    }
}
