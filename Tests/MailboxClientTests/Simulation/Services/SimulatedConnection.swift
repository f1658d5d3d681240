import ClientWire
import MailboxTesting
import NIOCore
import NIOEmbedded
import NIOWebSocket
import SwiftProtobuf

@testable import ConnectSrv

/// The server's end of a connection, after the WebSocket's handshake: the real handler behind the
/// real codec, on a channel whose socket is the simulation's. Bytes are read in pieces of any size.
final class SimulatedConnection {
    let id: UInt64
    let process: ConnectProcess
    private let world: SimulatedWorld
    /// Of its own: connections of a server share no thread but by chance.
    private let loop = EmbeddedEventLoop()
    /// Until then the loop is busy with others.
    private var busyUntil: Int64 = 0
    private let channel: EmbeddedChannel
    private let socket = Socket()
    /// The device's codec.
    private let device: EmbeddedChannel
    /// What has arrived, and was not read.
    private var unread = ByteBuffer()
    private(set) var isClosed = false

    init(_ id: UInt64, _ world: SimulatedWorld, _ process: ConnectProcess) throws {
        self.id = id
        self.world = world
        self.process = process
        let now = ConnectCore.now()
        let address = PeerAddress("192.0.2.\(id % 250)")
        guard let traffic = process.core.addresses.join(address, nowMilliseconds: now) else {
            throw SimulationFailure("too many connections of one address")
        }
        let handler = ConnectionHandler(
            core: process.core, format: .proto, addressTraffic: traffic, acceptedAt: now)
        let maximum = process.core.limits.frameBytesMaximum
        channel = EmbeddedChannel(
            handlers: [socket] + Self.codec(maximum) + [handler], loop: loop)
        device = EmbeddedChannel(handlers: Self.codec(1 << 24), loop: EmbeddedEventLoop())
        channel.connect(to: try SocketAddress(ipAddress: "192.0.2.1", port: 1), promise: nil)
        channel.closeFuture.assumeIsolated().whenComplete { [self] _ in
            isClosed = true
            process.core.addresses.leave(address)
            if process.isAlive { world.tellClosed(id, world.draw(1...50)) }
        }
        channel.pipeline.read()
    }

    private static func codec(_ bytesMaximum: Int) -> [any ChannelHandler] {
        [
            WebSocketFrameEncoder(),
            ByteToMessageHandler(WebSocketFrameDecoder(maxFrameSize: bytesMaximum)),
        ]
    }

    /// The device's frame has arrived.
    func arrive(_ frame: ClientFrame) throws {
        try arrive(.binary, ByteBuffer(bytes: try frame.serializedBytes() as [UInt8]))
    }

    private func arrive(_ opcode: WebSocketOpcode, _ data: ByteBuffer = ByteBuffer()) throws {
        let mask = WebSocketMaskingKey(world.random.bytes(4))
        try device.writeOutbound(
            WebSocketFrame(fin: true, opcode: opcode, maskKey: mask, data: data))
        while let bytes = try device.readOutbound(as: ByteBuffer.self) {
            unread.writeImmutableBuffer(bytes)
        }
    }

    /// Runs the loop, reads as much as the handler wants, and sends what it has written.
    ///
    /// - Returns: whether there was something to do.
    func work() throws -> Bool {
        guard world.now >= busyUntil else { return false }
        loop.advanceTime(to: .uptimeNanoseconds(UInt64(world.now) * 1_000_000))
        var hasWorked = false
        while !isClosed, socket.wantsRead, let bytes = nextPiece() {
            hasWorked = true
            socket.wantsRead = false
            try channel.writeInbound(bytes)
            if !isClosed { channel.pipeline.read() }
        }
        while let bytes = try channel.readOutbound(as: ByteBuffer.self) {
            hasWorked = true
            try device.writeInbound(bytes)
        }
        while let frame = try device.readInbound(as: WebSocketFrame.self) { try send(frame) }
        if hasWorked, world.goesWrong(3) { busyUntil = world.now + world.draw(1...200) }
        return hasWorked
    }

    private func nextPiece() -> ByteBuffer? {
        let count = unread.readableBytes
        guard count > 0 else { return nil }
        let piece = world.random.chance(50) ? count : Int(world.draw(1...Int64(count)))
        return unread.readSlice(length: piece)
    }

    private func send(_ frame: WebSocketFrame) throws {
        guard process.isAlive else { return }
        switch frame.opcode {
        case .binary:
            let bytes = Array(frame.unmaskedData.readableBytesView)
            world.toClientInOrder(try ServerFrame(serializedBytes: bytes), id)
        case .ping: answer(.pong)
        // Both ends close: the device's answer is the end of it.
        case .connectionClose: answer(.connectionClose)
        default: break
        }
    }

    /// What a device's transport does by itself.
    private func answer(_ opcode: WebSocketOpcode) {
        world.inOrder(id) { [weak self, world, id] in
            world.after(world.draw(1...60)) {
                guard let self, world.isAlive(id), !self.isClosed else { return }
                try self.arrive(opcode)
            }
        }
    }

    /// The device's end is gone, or the process is. Channels hold themselves until they are closed,
    /// and nothing is to be written any more.
    func close() {
        socket.isStalled = false
        if !isClosed {
            channel.flush()
            channel.close(promise: nil)
        }
        // Timers hold the loop, and the loop them.
        loop.advanceTime(by: .hours(1))
        device.close(promise: nil)
        device.embeddedEventLoop.run()
    }

    func drain() { channel.pipeline.fireUserInboundEventTriggered(DrainEvent()) }

    /// The device reads nothing for a while.
    func stall(for milliseconds: Int64) {
        guard !socket.isStalled else { return }
        socket.isStalled = true
        channel.isWritable = false
        channel.pipeline.fireChannelWritabilityChanged()
        world.after(milliseconds) { [weak self] in
            guard let self else { return }
            socket.isStalled = false
            guard !isClosed else { return }
            channel.isWritable = true
            channel.flush()
            channel.pipeline.fireChannelWritabilityChanged()
        }
    }

    /// First in the pipeline: what a socket would be asked for.
    private final class Socket: ChannelOutboundHandler {
        typealias OutboundIn = ByteBuffer

        var wantsRead = false
        var isStalled = false

        func read(context: ChannelHandlerContext) { wantsRead = true }

        func flush(context: ChannelHandlerContext) {
            if !isStalled { context.flush() }
        }

        /// A socket's close settles what it was told to write; NIOEmbedded's would keep it.
        func close(
            context: ChannelHandlerContext, mode: CloseMode, promise: EventLoopPromise<Void>?
        ) {
            context.flush()
            context.close(mode: mode, promise: promise)
        }
    }
}
