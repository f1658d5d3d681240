import NIOCore
import NIOWebSocket
import Testing

@testable import ConnectSrv

/// What RFC 6455 allows and forbids a client to send.
@Suite("WebSocket messages")
struct MessageAssemblerTests {
    private func assembler(_ format: WireFormat = .proto) -> MessageAssembler {
        MessageAssembler(format: format, bytesMaximum: 10, fragmentsMaximum: 3)
    }

    private func frame(
        _ opcode: WebSocketOpcode, _ bytes: [UInt8], fin: Bool = true, isMasked: Bool = true
    ) -> WebSocketFrame {
        var data = ByteBuffer(bytes: bytes)
        let key: WebSocketMaskingKey = [1, 2, 3, 4]
        if isMasked { data.webSocketMask(key) }
        return WebSocketFrame(
            fin: fin, opcode: opcode, maskKey: isMasked ? key : nil, data: data)
    }

    @Test("a whole message, and one of three frames with a ping in between")
    func messages() throws {
        var assembler = assembler()
        #expect(
            try assembler.receive(frame(.binary, [1, 2])) == .message(ByteBuffer(bytes: [1, 2])))
        #expect(try assembler.receive(frame(.binary, [1], fin: false)) == nil)
        #expect(try assembler.receive(frame(.continuation, [2], fin: false)) == nil)
        #expect(try assembler.receive(frame(.ping, [9])) == .ping(ByteBuffer(bytes: [9])))
        #expect(assembler.isInMessage)
        #expect(
            try assembler.receive(frame(.continuation, [3]))
                == .message(ByteBuffer(bytes: [1, 2, 3])))
        #expect(!assembler.isInMessage)
        #expect(try assembler.receive(frame(.binary, [])) == .message(ByteBuffer()))
    }

    @Test("close frames: none, a code, a code with a reason")
    func close() throws {
        var assembler = assembler()
        #expect(try assembler.receive(frame(.connectionClose, [])) == .close(nil))
        #expect(try assembler.receive(frame(.connectionClose, [3, 0xE8])) == .close(1000))
        #expect(
            try assembler.receive(frame(.connectionClose, [3, 0xE9, 0x61])) == .close(1001))
    }

    enum Fault: String, CaseIterable, Sendable {
        case notMasked, reservedBits, reservedOpcode, reservedControl, strayContinuation
        case interleaved, text, tooLarge, tooLargeTogether, tooManyFragments
        case fragmentedPing, longPing, shortClose, closeCode999, closeCode1005, closeCode5000
        case closeReason
    }

    @Test("what is forbidden ends the connection with its code", arguments: Fault.allCases)
    func faults(_ fault: Fault) throws {
        var assembler = assembler()
        var frames: [WebSocketFrame]
        let code: UInt16
        switch fault {
        case .notMasked: (frames, code) = ([frame(.binary, [1], isMasked: false)], 1002)
        case .reservedBits:
            frames = [frame(.binary, [1])]
            frames[0].rsv1 = true
            code = 1002
        case .reservedOpcode:
            frames = [frame(try #require(WebSocketOpcode(encodedWebSocketOpcode: 3)), [])]
            code = 1002
        case .reservedControl:
            frames = [frame(try #require(WebSocketOpcode(encodedWebSocketOpcode: 11)), [])]
            code = 1002
        case .strayContinuation: (frames, code) = ([frame(.continuation, [1])], 1002)
        case .interleaved:
            (frames, code) = ([frame(.binary, [1], fin: false), frame(.binary, [1])], 1002)
        case .text: (frames, code) = ([frame(.text, [0x61])], 1003)
        case .tooLarge:
            (frames, code) = ([frame(.binary, Array(repeating: 1, count: 11))], 1009)
        case .tooLargeTogether:
            let part = Array(repeating: UInt8(1), count: 6)
            (frames, code) = (
                [frame(.binary, part, fin: false), frame(.continuation, part)], 1009
            )
        case .tooManyFragments:
            (frames, code) = (
                [frame(.binary, [], fin: false)]
                    + Array(repeating: frame(.continuation, [], fin: false), count: 3), 1009
            )
        case .fragmentedPing: (frames, code) = ([frame(.ping, [], fin: false)], 1002)
        case .longPing:
            (frames, code) = ([frame(.ping, Array(repeating: 1, count: 126))], 1002)
        case .shortClose: (frames, code) = ([frame(.connectionClose, [3])], 1002)
        case .closeCode999: (frames, code) = ([frame(.connectionClose, [3, 0xE7])], 1002)
        case .closeCode1005: (frames, code) = ([frame(.connectionClose, [3, 0xED])], 1002)
        case .closeCode5000: (frames, code) = ([frame(.connectionClose, [0x13, 0x88])], 1002)
        case .closeReason:
            (frames, code) = ([frame(.connectionClose, [3, 0xE8, 0xFF])], 1007)
        }
        let last = frames.removeLast()
        for frame in frames { #expect(try assembler.receive(frame) == nil) }
        do throws(ProtocolViolation) {
            let received = try assembler.receive(last)
            Issue.record("\(fault) was taken: \(String(describing: received))")
        } catch {
            #expect(error.closeCode == code)
        }
    }

    @Test("text must be UTF-8, also when a character is cut by fragments")
    func text() throws {
        var assembler = assembler(.json)
        #expect(try assembler.receive(frame(.text, [0xC3], fin: false)) == nil)
        #expect(
            try assembler.receive(frame(.continuation, [0xA4]))
                == .message(ByteBuffer(bytes: [0xC3, 0xA4])))
        #expect(throws: ProtocolViolation.notUTF8) {
            try assembler.receive(frame(.text, [0xC3, 0x28]))
        }
        #expect(throws: ProtocolViolation.textExpected) {
            try assembler.receive(frame(.binary, [1]))
        }
    }
}

@Suite("addresses of peers")
struct PeerAddressTests {
    @Test(
        "are an IPv4 address, or an IPv6 network",
        arguments: zip(
            ["192.0.2.1", "::ffff:192.0.2.1", "2001:db8:1:2:3:4:5:6", "2001:db8::1", "::1", ""],
            ["192.0.2.1", "192.0.2.1", "2001:db8:1:2", "2001:db8:0:0", "0:0:0:0", ""]))
    func text(_ address: String, _ key: String) {
        #expect(PeerAddress(address).text == key)
    }
}
