import MailboxTesting
import NIOCore
import NIOPosix
import Synchronization

/// Stands between devices and their server, and knows WebSocket frames: what devices send goes
/// through; of the messages of the server some are dropped, and with some the connection is cut.
final class DroppingProxy: Sendable {
    /// What it did to messages of the server.
    struct Counts: Sendable {
        var connections = 0
        var passed = 0
        var dropped = 0
        var cut = 0
    }

    /// What is counted of all connections.
    final class Tally: Sendable {
        private let counts = Mutex(Counts())
        var now: Counts { counts.withLock { $0 } }
        func note(_ change: (inout Counts) -> Void) { counts.withLock { change(&$0) } }
    }

    private let listener: any Channel
    private let tally: Tally
    var port: Int { listener.localAddress?.port ?? 0 }
    var counts: Counts { tally.now }

    private init(_ listener: any Channel, _ tally: Tally) {
        self.listener = listener
        self.tally = tally
    }

    /// Listens on a free port of loopback.
    ///
    /// - Parameters:
    ///   - port: the server's.
    ///   - dropped: of a hundred messages of the server, so many go nowhere.
    ///   - cut: of a thousand, so many end their connection instead.
    static func start(
        to port: Int, dropped: Int, cut: Int, seed: UInt64
    ) async throws -> DroppingProxy {
        let tally = Tally()
        let listener = try await ServerBootstrap(group: MultiThreadedEventLoopGroup.singleton)
            .serverChannelOption(.backlog, value: 256)
            .childChannelOption(.tcpOption(.tcp_nodelay), value: 1)
            .childChannelInitializer { device in
                tally.note { $0.connections += 1 }
                let number = UInt64(tally.now.connections)
                return device.eventLoop.makeCompletedFuture { () -> NIOLoopBound<Relay> in
                    let loop = device.eventLoop
                    let (near, far) = (Relay(), Relay())
                    far.filter = ServerFrames(
                        dropped: dropped, cut: cut, tally: tally,
                        random: SeededRandom(seed: seed &+ number))
                    near.partner = far
                    far.partner = near
                    try device.pipeline.syncOperations.addHandler(near)
                    return NIOLoopBound(far, eventLoop: loop)
                }.flatMap { (far: NIOLoopBound<Relay>) -> EventLoopFuture<Void> in
                    ClientBootstrap(group: device.eventLoop)
                        .channelOption(.tcpOption(.tcp_nodelay), value: 1)
                        .channelInitializer { server in
                            server.eventLoop.makeCompletedFuture {
                                try server.pipeline.syncOperations.addHandler(far.value)
                            }
                        }
                        .connect(host: "127.0.0.1", port: port)
                        .map { _ in }
                }
            }
            .bind(host: "127.0.0.1", port: 0).get()
        return DroppingProxy(listener, tally)
    }

    /// Takes no more connections.
    func stop() async throws { try await listener.close() }
}

/// One side of a connection: hands what comes to the other side.
private final class Relay: ChannelInboundHandler {
    typealias InboundIn = ByteBuffer
    typealias OutboundOut = ByteBuffer

    weak var partner: Relay?
    var filter: ServerFrames?
    private var context: ChannelHandlerContext?

    func handlerAdded(context: ChannelHandlerContext) { self.context = context }

    func handlerRemoved(context: ChannelHandlerContext) { self.context = nil }

    func channelRead(context: ChannelHandlerContext, data: NIOAny) {
        let data = unwrapInboundIn(data)
        // What a device says is not looked at.
        let (passed, isCut) = filter?.take(data) ?? (data, false)
        if passed.readableBytes > 0 { partner?.write(passed) }
        if isCut {
            partner?.close()
            context.close(promise: nil)
        }
    }

    func channelInactive(context: ChannelHandlerContext) { partner?.close() }

    func errorCaught(context: ChannelHandlerContext, error: any Error) {
        context.close(promise: nil)
    }

    private func write(_ data: ByteBuffer) {
        context?.writeAndFlush(wrapOutboundOut(data), promise: nil)
    }

    private func close() { context?.close(promise: nil) }
}

/// What a server sends: the answer to the upgrade, and then frames.
private struct ServerFrames {
    let dropped: Int
    let cut: Int
    let tally: DroppingProxy.Tally
    var random: SeededRandom
    private var isUpgraded = false
    private var waiting = ByteBuffer()

    init(dropped: Int, cut: Int, tally: DroppingProxy.Tally, random: SeededRandom) {
        self.dropped = dropped
        self.cut = cut
        self.tally = tally
        self.random = random
    }

    /// Takes bytes as they come.
    ///
    /// - Returns: what goes on to the device, and whether the connection ends behind that.
    mutating func take(_ data: ByteBuffer) -> (passed: ByteBuffer, isCut: Bool) {
        var data = data
        waiting.writeBuffer(&data)
        var passed = ByteBuffer()
        if !isUpgraded {
            let view = waiting.readableBytesView
            guard let end = view.firstRange(of: [UInt8]([13, 10, 13, 10])) else {
                return (passed, false)
            }
            let count = view.distance(from: view.startIndex, to: end.upperBound)
            passed.writeImmutableBuffer(waiting.readSlice(length: count) ?? ByteBuffer())
            isUpgraded = true
        }
        while let (isMessage, frame) = takeFrame() {
            if isMessage {
                if random.chance(dropped) {
                    tally.note { $0.dropped += 1 }
                    continue
                }
                if Int.random(in: 0..<1_000, using: &random) < cut {
                    tally.note { $0.cut += 1 }
                    return (passed, true)
                }
                tally.note { $0.passed += 1 }
            }
            passed.writeImmutableBuffer(frame)
        }
        waiting.discardReadBytes()
        return (passed, false)
    }

    private mutating func takeFrame() -> (isMessage: Bool, frame: ByteBuffer)? {
        var buffer = waiting
        guard let first: UInt8 = buffer.readInteger(), let second: UInt8 = buffer.readInteger()
        else { return nil }
        var length = Int(second & 0x7F)
        if length == 126 {
            guard let long: UInt16 = buffer.readInteger() else { return nil }
            length = Int(long)
        } else if length == 127 {
            guard let long: UInt64 = buffer.readInteger() else { return nil }
            length = Int(clamping: long)
        }
        guard buffer.readableBytes >= length else { return nil }
        let header = buffer.readerIndex - waiting.readerIndex
        guard let frame = waiting.readSlice(length: header + length) else { return nil }
        return (first & 0x0F == 2, frame)
    }
}
