import ClientWire
import NIOCore
import NIOPosix
import NIOSSL
import SwiftProtobuf

@testable import ConnectSrv

/// A device over a plain socket: it writes what it is told, right or wrong, byte by byte.
actor TestDevice {
    /// What the server sent.
    enum Received: Equatable {
        case frame(ServerFrame)
        case ping
        case pong([UInt8])
        case close(UInt16?)
        /// The transport is closed.
        case end
    }

    struct Unexpected: Error { let received: Received }
    struct HandshakeRefused: Error { let response: String }

    private let channel: any Channel
    private let format: WireFormat
    private var iterator: AsyncStream<ByteBuffer>.Iterator
    private var buffer = ByteBuffer()
    private var request: UInt32 = 0

    private init(channel: any Channel, format: WireFormat, incoming: AsyncStream<ByteBuffer>) {
        self.channel = channel
        self.format = format
        iterator = incoming.makeAsyncIterator()
    }

    /// A TCP connection and nothing more; with TLS when it is given.
    static func connect(
        port: Int, format: WireFormat = .proto, tls: NIOSSLContext? = nil
    ) async throws -> TestDevice {
        let (incoming, continuation) = AsyncStream.makeStream(of: ByteBuffer.self)
        let channel = try await ClientBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .channelInitializer { channel in
                channel.eventLoop.makeCompletedFuture {
                    if let tls {
                        try channel.pipeline.syncOperations.addHandler(
                            NIOSSLClientHandler(context: tls, serverHostname: "localhost"))
                    }
                    try channel.pipeline.syncOperations.addHandler(Feed(continuation))
                }
            }
            .connect(host: "127.0.0.1", port: port).get()
        return TestDevice(channel: channel, format: format, incoming: incoming)
    }

    /// A WebSocket.
    static func open(
        port: Int, format: WireFormat = .proto, tls: NIOSSLContext? = nil
    ) async throws -> TestDevice {
        let device = try await connect(port: port, format: format, tls: tls)
        let response = try await device.exchange(handshake(format.rawValue))
        guard response.hasPrefix("HTTP/1.1 101 ") else {
            throw HandshakeRefused(response: response)
        }
        return device
    }

    static func handshake(_ subprotocol: String, path: String = "/v1/connect") -> String {
        "GET \(path) HTTP/1.1\r\nHost: localhost\r\nUpgrade: websocket\r\n"
            + "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
            + "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"
            + "Sec-WebSocket-Protocol: \(subprotocol)\r\n\r\n"
    }

    // MARK: Out

    func write(_ bytes: [UInt8]) async throws {
        try await channel.writeAndFlush(ByteBuffer(bytes: bytes))
    }

    func write(
        opcode: UInt8, _ payload: [UInt8], fin: Bool = true, masked: Bool = true,
        reserved: UInt8 = 0
    ) async throws {
        try await write(
            Self.webSocketFrame(
                opcode: opcode, payload, fin: fin, masked: masked, reserved: reserved))
    }

    static func webSocketFrame(
        opcode: UInt8, _ payload: [UInt8], fin: Bool = true, masked: Bool = true,
        reserved: UInt8 = 0
    ) -> [UInt8] {
        var bytes: [UInt8] = [(fin ? 0x80 : 0) | reserved | opcode]
        let mask: UInt8 = masked ? 0x80 : 0
        switch payload.count {
        case ...125: bytes.append(mask | UInt8(payload.count))
        case ...0xFFFF:
            bytes += [mask | 126, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF)]
        default:
            bytes.append(mask | 127)
            for shift in stride(from: 56, through: 0, by: -8) {
                bytes.append(UInt8((payload.count >> shift) & 0xFF))
            }
        }
        guard masked else { return bytes + payload }
        let key: [UInt8] = [1, 2, 3, 4]
        return bytes + key + payload.enumerated().map { $1 ^ key[$0 & 3] }
    }

    func send(_ frame: ClientFrame) async throws {
        switch format {
        case .proto: try await write(opcode: 2, try frame.serializedBytes())
        case .json: try await write(opcode: 1, try frame.jsonUTF8Bytes())
        }
    }

    /// Asks, and returns the request's number.
    @discardableResult
    func ask(_ content: ClientRequest) async throws -> UInt32 {
        request += 1
        var frame = ClientFrame()
        frame.request = request
        frame.content = content
        try await send(frame)
        return request
    }

    @discardableResult
    func hello(_ token: String, device: String) async throws -> Welcome {
        var hello = Hello()
        hello.token = token
        hello.device = device
        try await ask(.hello(hello))
        let frame = try await frame()
        guard case .welcome(let welcome) = frame.content else {
            throw Unexpected(received: .frame(frame))
        }
        return welcome
    }

    @discardableResult
    func send(_ text: String, to receiver: String, _ clientSequence: UInt32) async throws
        -> UInt32
    {
        var send = Mailbox_Client_V1_Send()
        send.receiver = receiver
        send.clientSequence = clientSequence
        send.body = .init(text.utf8)
        return try await ask(.send(send))
    }

    // MARK: In

    /// The next frame; pings are passed over.
    func frame() async throws -> ServerFrame {
        while true {
            let received = try await receive()
            switch received {
            case .frame(let frame): return frame
            case .ping: continue
            default: throw Unexpected(received: received)
            }
        }
    }

    /// The next frame that answers nothing, or the request.
    func answer(_ request: UInt32) async throws -> ServerAnswer? {
        while true {
            let frame = try await frame()
            if frame.request == request { return frame.content }
        }
    }

    /// Everything until the close, and its code.
    func untilClose() async throws -> (frames: [ServerFrame], code: UInt16?) {
        var frames: [ServerFrame] = []
        while true {
            switch try await receive() {
            case .frame(let frame): frames.append(frame)
            case .close(let code): return (frames, code)
            case .end: return (frames, nil)
            case .ping, .pong: continue
            }
        }
    }

    func receive() async throws -> Received {
        while true {
            if let received = try parse() { return received }
            guard await fill() else { return .end }
        }
    }

    /// Sends text, and returns what comes until the head of a response is complete.
    func exchange(_ text: String) async throws -> String {
        try await write(Array(text.utf8))
        while true {
            let text = String(buffer: buffer)
            if let end = text.firstRange(of: "\r\n\r\n") {
                let head = String(text[..<end.upperBound])
                buffer.moveReaderIndex(forwardBy: head.utf8.count)
                return head
            }
            guard await fill() else { return text }
        }
    }

    func rest() async -> String {
        while await fill() {}
        return String(buffer: buffer)
    }

    /// Reads nothing any more.
    func stopReading() async throws {
        try await channel.setOption(.autoRead, value: false).get()
    }

    func startReading() async throws {
        try await channel.setOption(.autoRead, value: true).get()
    }

    func close() async { try? await channel.close() }

    private func fill() async -> Bool {
        var iterator = iterator
        let more = await iterator.next(isolation: self)
        self.iterator = iterator
        guard var more else { return false }
        buffer.writeBuffer(&more)
        return true
    }

    private func parse() throws -> Received? {
        var copy = buffer
        guard let first = copy.readInteger(as: UInt8.self),
            let second = copy.readInteger(as: UInt8.self)
        else { return nil }
        let length: Int
        switch second {
        case 127:
            guard let long = copy.readInteger(as: UInt64.self) else { return nil }
            length = Int(long)
        case 126:
            guard let short = copy.readInteger(as: UInt16.self) else { return nil }
            length = Int(short)
        default: length = Int(second)
        }
        guard var payload = copy.readSlice(length: length) else { return nil }
        buffer = copy
        switch first & 0x0F {
        case 1: return .frame(try ServerFrame(jsonUTF8Bytes: Array(payload.readableBytesView)))
        case 2: return .frame(try ServerFrame(serializedBytes: Array(payload.readableBytesView)))
        case 8: return .close(payload.readInteger(as: UInt16.self))
        case 9: return .ping
        default: return .pong(Array(payload.readableBytesView))
        }
    }

    private final class Feed: ChannelInboundHandler {
        typealias InboundIn = ByteBuffer
        private let continuation: AsyncStream<ByteBuffer>.Continuation

        init(_ continuation: AsyncStream<ByteBuffer>.Continuation) {
            self.continuation = continuation
        }

        func channelRead(context: ChannelHandlerContext, data: NIOAny) {
            continuation.yield(unwrapInboundIn(data))
        }

        func channelInactive(context: ChannelHandlerContext) { continuation.finish() }

        func errorCaught(context: ChannelHandlerContext, error: any Error) {
            context.close(promise: nil)
        }
    }
}
