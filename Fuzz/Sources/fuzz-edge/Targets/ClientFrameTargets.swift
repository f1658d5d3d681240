import Foundation
import Mailbox
import NIOCore
import SwiftProtobuf

@testable import ClientWire
@testable import ConnectSrv

extension EdgeTarget {
    /// Any bytes as a frame in protobuf's binary form. What is read is written so that it reads the
    /// same.
    static let clientFramesProto = EdgeTarget(name: "client-frames-proto", byteCountMaximum: 2_048)
    {
        try ClientFrameSeeds.frames.map { try $0.serializedBytes() }
    } run: { input in
        guard let frame = try ClientFrameSeeds.decode(.proto, input) else { return }
        let bytes: [UInt8] = try frame.serializedBytes()
        try EdgeViolation.unless(
            try ClientFrameSeeds.decode(.proto, bytes) == frame, "a frame reads as another")
    }

    /// The same in protobuf's JSON form.
    static let clientFramesJSON = EdgeTarget(name: "client-frames-json", byteCountMaximum: 2_048) {
        try ClientFrameSeeds.frames.map { try $0.jsonUTF8Bytes() }
    } run: { input in
        guard let frame = try ClientFrameSeeds.decode(.json, input) else { return }
        let bytes: [UInt8] = try frame.jsonUTF8Bytes()
        try EdgeViolation.unless(
            try ClientFrameSeeds.decode(.json, bytes) == frame, "a frame reads as another")
    }

    /// Frames, answers, pushes and time, as the bytes say, through one connection's protocol: it
    /// closes once, writes nothing behind that, and whatever it writes has both forms.
    static let connections = EdgeTarget(name: "connections", byteCountMaximum: 2_048) {
        try ClientFrameSeeds.frames.map { frame in
            let bytes: [UInt8] = try frame.serializedBytes()
            return [0, UInt8(truncatingIfNeeded: bytes.count)] + bytes + [1, 2, 3, 4, 5]
        }
    } run: { input in
        var run = ConnectionRun(input)
        while !run.isAtEnd { try run.step() }
    }
}

enum ClientFrameSeeds {
    static var frames: [ClientFrame] {
        let cursor = Mailbox_Client_V1_Cursor.with {
            $0.sequence = 7
            $0.epoch = 9
        }
        let contents: [ClientRequest] = [
            .hello(
                .with {
                    $0.token = "a.b.c"
                    $0.device = "phone"
                    $0.program = "test"
                }),
            .send(
                .with {
                    $0.receiver = "bert"
                    $0.clientSequence = 3
                    $0.body = Data([1, 2, 3])
                }),
            .fetch(
                .with {
                    $0.sender = "bert"
                    $0.cursor = cursor
                }),
            .acknowledge(
                .with {
                    $0.sender = "bert"
                    $0.cursor = cursor
                }),
            .getSendStates(.with { $0.receivers = ["bert", "carl"] }),
            .ping(.with { $0.nonce = 5 }), .refreshToken(.with { $0.token = "d.e.f" }),
            .goodbye(.init()),
        ]
        return contents.enumerated().map { number, content in
            var frame = ClientFrame()
            frame.request = UInt32(number + 1)
            frame.content = content
            return frame
        }
    }

    /// The frame, or nil when it was refused as it must be.
    static func decode(_ format: WireFormat, _ bytes: [UInt8]) throws -> ClientFrame? {
        do throws(ProtocolViolation) {
            return try format.decode(ByteBuffer(bytes: bytes))
        } catch {
            try EdgeViolation.unless(error == .undecodable, "refused as \(error)")
            return nil
        }
    }
}

/// One connection's protocol, driven by bytes.
private struct ConnectionRun {
    private var reader: EdgeBytes
    private var machine: ConnectionStateMachine
    private var now: Int64 = 0
    private var flushed = 0
    private var performing: [UInt32] = []
    private var hasClosed = false
    private var isCut = false

    init(_ input: [UInt8]) {
        reader = EdgeBytes(input)
        var limits = ConnectLimits()
        limits.requestsInFlightMaximum = 4
        limits.readsInFlightMaximum = 2
        limits.connectionTraffic.requests = .init(perSecond: 20, burst: 10)
        limits.refusals = .init(perSecond: 1, burst: 5)
        machine = ConnectionStateMachine(limits: limits, acceptedAt: 0)
    }

    var isAtEnd: Bool { reader.isAtEnd }

    mutating func step() throws {
        now += Int64(reader.number(below: 200)) * 25
        switch reader.number(below: 10) {
        case 0, 1, 2, 3:
            let bytes = reader.bytes(reader.number(below: 128))
            guard let frame = try ClientFrameSeeds.decode(.proto, bytes) else { return }
            try take(
                machine.receive(frame, byteCount: bytes.count, sharedWait: nil, now: now))
        case 4:
            guard !performing.isEmpty else { return }
            try take(machine.complete(performing.removeFirst(), .pong(.init()), now: now))
        case 5: try take(machine.timer(now: now, flushedBytes: flushed))
        case 6: try take(machine.writabilityChanged(reader.byte() & 1 == 0, now: now))
        case 7: try take(machine.push(Pushed()))
        case 8:
            let deed = reader.number(below: 4)
            if deed == 0 { try take(machine.receiveClose(now: now)) }
            if deed == 1, hasClosed { try take(machine.closeWritten()) }
            if deed == 2 { try take(machine.drain(reconnectAfterMilliseconds: 1, now: now)) }
            if deed == 3 { try take(machine.notice(sender: "bert", epoch: 1, maxSequence: 2)) }
        default: flushed += reader.number(below: 3)
        }
    }

    private mutating func take(_ actions: [ConnectionStateMachine.Action]) throws {
        for action in actions {
            try EdgeViolation.unless(!isCut, "\(action) behind the cut")
            switch action {
            case .write(let frame):
                try EdgeViolation.unless(!hasClosed, "a frame behind the close")
                for format in WireFormat.allCases {
                    try EdgeViolation.unless(
                        format.encode(frame, ByteBufferAllocator()) != nil, "a frame has no form")
                }
            case .close:
                try EdgeViolation.unless(!hasClosed, "a second close")
                hasClosed = true
            case .cut: isCut = true
            case .perform(let request, _): performing.append(request)
            case .authenticate: try open()
            case .verify(let request, _):
                let refused = ConnectionStateMachine.RefusedToken(
                    code: .unauthenticated, message: "no")
                try take(machine.refresh(request, .failure(refused), now: now))
            case .ping, .leave: continue
            }
        }
    }

    private mutating func open() throws {
        let session = ConnectionStateMachine.Session(
            account: try Address("anna"), device: try DeviceID("phone"), number: 1, epoch: 1,
            bodyBytesMaximum: 100, tokenExpiresMilliseconds: now + 60_000,
            tokenExpiresAt: now + 60_000)
        try take(machine.open(session, now: now))
    }
}
