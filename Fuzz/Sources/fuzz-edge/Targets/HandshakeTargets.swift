import NIOCore
import NIOHTTP1
import NIOWebSocket

@testable import ConnectSrv

extension EdgeTarget {
    /// Any frames to a message assembler: a message has no more bytes or frames than it may, and
    /// text is UTF-8.
    static let webSocketFrames = EdgeTarget(name: "websocket-frames", byteCountMaximum: 1_024) {
        [
            [0, 0x82, 3, 1, 2, 3, 0x02, 1, 1, 0x80, 1, 2, 0x89, 0],
            [1, 0x81, 2, 0x61, 0x62, 0x88, 2, 3, 0xE8],
        ]
    } run: { input in
        var reader = EdgeBytes(input)
        let format: WireFormat = reader.byte() & 1 == 0 ? .proto : .json
        var assembler = MessageAssembler(format: format, bytesMaximum: 100, fragmentsMaximum: 4)
        while !reader.isAtEnd {
            let head = reader.byte()
            let payload = reader.bytes(Int(reader.byte()))
            var frame = WebSocketFrame(
                fin: head & 0x80 != 0,
                opcode: WebSocketOpcode(encodedWebSocketOpcode: head & 0x0F) ?? .continuation,
                maskKey: head & 0x40 == 0 ? [1, 2, 3, 4] : nil, data: ByteBuffer(bytes: payload))
            frame.rsv1 = head & 0x20 != 0
            guard let violation = receive(frame, &assembler, format) else { continue }
            try EdgeViolation.unless(
                (1000..<5000).contains(violation.closeCode),
                "a violation closes with \(violation.closeCode)")
            return
        }
    }

    private static func receive(
        _ frame: WebSocketFrame, _ assembler: inout MessageAssembler, _ format: WireFormat
    ) -> ProtocolViolation? {
        do throws(ProtocolViolation) {
            if case .message(let message) = try assembler.receive(frame) {
                try check(message, format)
            }
            return nil
        } catch {
            return error
        }
    }

    private static func check(
        _ message: ByteBuffer, _ format: WireFormat
    ) throws(ProtocolViolation) {
        let isText = String(validating: message.readableBytesView, as: UTF8.self) != nil
        // Told as a violation with a code that none has.
        guard message.readableBytes <= 100, format == .proto || isText else {
            throw ProtocolViolation(closeCode: 0, message: "a message that may not be")
        }
    }

    /// Any path, subprotocols and address of a handshake: only what this server offers is agreed.
    static let handshakes = EdgeTarget(name: "handshakes", byteCountMaximum: 512) {
        [
            [11] + Array("/v1/connect".utf8) + [16] + Array("mailbox.v1.proto".utf8)
                + Array("192.0.2.1".utf8),
            [13] + Array("/v1/connect?x".utf8) + [18] + Array("x, mailbox.v1.json".utf8)
                + Array("2001:db8::1%eth0".utf8),
        ]
    } run: { input in
        var reader = EdgeBytes(input)
        let path = reader.text(Int(reader.byte()))
        let protocols = reader.text(Int(reader.byte()))
        let address = reader.text(64)
        let head = HTTPRequestHead(
            version: .http1_1, method: .GET, uri: path,
            headers: ["Sec-WebSocket-Protocol": protocols])
        try EdgeViolation.unless(!head.path.contains("?"), "a path with a question")
        if let format = head.wireFormat {
            try EdgeViolation.unless(
                protocols.contains(format.rawValue), "a subprotocol that nobody offered")
        }
        let peer = PeerAddress(address)
        try EdgeViolation.unless(
            PeerAddress(address) == peer && peer.text.utf8.count <= address.utf8.count + 16,
            "an address that grows")
    }
}
