import ClientWire
import Mailbox
import MailboxTesting
import Metrics
import StoreAPI
import SwiftProtobuf
import Testing

@testable import ConnectSrv

/// Peers that are slow, greedy or broken: each ends for itself, with its code; others go on.
@Suite("bad peers over loopback", .timeLimit(.minutes(2)), .serialized)
struct BadPeerTests {
    @Test("a peer that makes no handshake, or says no hello, is cut")
    func slowHandshake() async throws {
        var limits = ConnectLimits()
        limits.handshakeMaximum = .milliseconds(300)
        try await TestServer.run(limits: limits) { server in
            let silent = try await TestDevice.connect(port: server.port)
            #expect(try await silent.receive() == .end)
            let half = try await TestDevice.connect(port: server.port)
            try await half.write(Array("GET /v1/connect HTTP/1.1\r\nHost: x\r\n".utf8))
            #expect(try await half.receive() == .end)
            let shy = try await TestDevice.open(port: server.port)
            let (frames, code) = try await shy.untilClose()
            #expect(frames.map(\.goodbye.reason) == [.idle])
            #expect(code == 4008)
        }
    }

    @Test("a connection without signs of life is pinged and ended; one that answers is not")
    func halfOpen() async throws {
        var limits = ConnectLimits()
        limits.heartbeat = .milliseconds(200)
        try await TestServer.run(limits: limits) { server in
            let anna = try await server.device("anna")
            let bob = try await server.device("bob")
            #expect(try await anna.receive() == .ping)
            async let end = anna.untilClose()
            for _ in 0..<3 {
                guard try await bob.receive() == .ping else {
                    Issue.record("no ping")
                    return
                }
                try await bob.write(opcode: 10, [])
            }
            let (frames, code) = try await end
            #expect(frames.map(\.goodbye.reason) == [.idle])
            #expect(code == 4008)
        }
    }

    @Test("a device that does not read is ended with SLOW, and fetches everything later")
    func slowReader() async throws {
        var limits = ConnectLimits()
        limits.outgoingStallMaximum = .milliseconds(300)
        limits.closeMaximum = .milliseconds(200)
        limits.accountTraffic.bytes = .init(perSecond: 1e9, burst: 1e9)
        limits.connectionTraffic.bytes = .init(perSecond: 1e9, burst: 1e9)
        limits.addressTraffic.bytes = .init(perSecond: 1e9, burst: 1e9)
        try await TestServer.run(limits: limits) { server in
            let bob = try await server.device("bob")
            let anna = try await server.device("anna")
            try await bob.stopReading()
            let body = String(repeating: "x", count: 60_000)
            var sent: UInt32 = 0
            // The kernel takes some megabytes for it; then it is behind.
            while server.server.sessionCount == 2, sent < 2_000 {
                sent += 1
                try await anna.send(body, to: "bob", sent)
                #expect(try await anna.frame().accepted.sequence == sent)
            }
            #expect(server.server.sessionCount == 1)
            try await bob.startReading()
            let again = try await server.device("bob", "other")
            let head = try await server.services.store.head(
                try MailboxID(sender: "anna", receiver: "bob"))
            #expect(head.max == sent)
            let request = try await again.ask(.sync(.init()))
            guard case .inbox(let inbox) = try await again.answer(request) else {
                Issue.record("no inbox")
                return
            }
            #expect(inbox.mailboxes.first?.messages.first?.sequence == 1)
        }
    }

    @Test("a flood is refused, then ended; another account goes on")
    func flood() async throws {
        var limits = ConnectLimits()
        limits.connectionTraffic.requests = .init(perSecond: 1, burst: 20)
        limits.refusals = .init(perSecond: 1, burst: 10)
        try await TestServer.run(limits: limits) { server in
            let anna = try await server.device("anna")
            let bob = try await server.device("bob")
            var bytes: [UInt8] = []
            for request in 1...100 as ClosedRange<UInt32> {
                var frame = ClientFrame()
                frame.request = 1_000 + request
                frame.ping = .init()
                bytes += TestDevice.webSocketFrame(
                    opcode: 2, try frame.serializedBytes())
            }
            try await anna.write(bytes)
            let (frames, code) = try await anna.untilClose()
            let pongs = frames.count { frame in
                if case .pong = frame.content { true } else { false }
            }
            #expect(pongs >= 20)
            #expect(frames.count { $0.refused.code == .overloaded } == 10)
            #expect(frames.last?.goodbye.reason == .overloaded)
            #expect(code == 1013)
            let ping = try await bob.ask(.ping(.init()))
            #expect(try await bob.answer(ping) != nil)
        }
    }

    @Test("connections of an account, of an address, and all are limited")
    func connections() async throws {
        var limits = ConnectLimits()
        limits.connectionsPerAccountMaximum = 2
        limits.connectionsPerAddressMaximum = 4
        limits.connectionsMaximum = 5
        try await TestServer.run(limits: limits) { server in
            let first = try await server.device("anna", "1")
            _ = try await server.device("anna", "2")
            let third = try await TestDevice.open(port: server.port)
            var hello = Hello()
            hello.token = try server.tokens.token("anna")
            hello.device = "3"
            try await third.ask(.hello(hello))
            let (frames, code) = try await third.untilClose()
            #expect(frames.map(\.goodbye.reason) == [.overloaded])
            #expect(code == 1013)
            await third.close()
            let fourth = try await server.device("bob", "1")
            let fifth = try await TestDevice.open(port: server.port)
            let sixth = try await TestDevice.connect(port: server.port)
            let response = try await sixth.exchange(
                TestDevice.handshake("mailbox.v1.proto"))
            #expect(response.hasPrefix("HTTP/1.1 429 "))
            _ = (first, fourth, fifth)
        }
    }

    enum Broken: String, CaseIterable, Sendable {
        case garbage, notMasked, text, hugeFrame, hugeLength, endlessFragments, reserved
        case badJSON, badUTF8, binaryInJSON, sendFirst, deepJSON
    }

    @Test("broken frames close with their code", arguments: Broken.allCases)
    func broken(_ kind: Broken) async throws {
        var limits = ConnectLimits()
        limits.frameBytesMaximum = 1_000
        try await TestServer.run(limits: limits) { server in
            let isJSON = [.badJSON, .badUTF8, .binaryInJSON, .deepJSON].contains(kind)
            let device = try await TestDevice.open(
                port: server.port, format: isJSON ? .json : .proto)
            let expected: UInt16
            switch kind {
            case .garbage:
                try await device.write(opcode: 2, Array(repeating: 0xFF, count: 40))
                expected = 1007
            case .notMasked:
                try await device.write(opcode: 2, [1], masked: false)
                expected = 1002
            case .text:
                try await device.write(opcode: 1, Array("{}".utf8))
                expected = 1003
            case .hugeFrame:
                try await device.write(opcode: 2, Array(repeating: 1, count: 1_001))
                expected = 1009
            case .hugeLength:
                let length = Array(repeating: UInt8(0xFF), count: 8)
                try await device.write([0x82, 0xFF] + length + [1, 2, 3, 4])
                expected = 1009
            case .endlessFragments:
                try await device.write(opcode: 2, [1], fin: false)
                for _ in 0..<80 { try? await device.write(opcode: 0, [1], fin: false) }
                expected = 1009
            case .reserved:
                try await device.write(opcode: 2, [1], reserved: 0x40)
                expected = 1002
            case .badJSON:
                try await device.write(opcode: 1, Array(#"{"request": "#.utf8))
                expected = 1007
            case .badUTF8:
                try await device.write(opcode: 1, [0xC3, 0x28])
                expected = 1007
            case .binaryInJSON:
                try await device.write(opcode: 2, [1])
                expected = 1003
            case .sendFirst:
                try await device.send("hi", to: "bob", 1)
                expected = 1002
            case .deepJSON:
                let depth = String(repeating: "[", count: 400)
                try await device.write(opcode: 1, Array("{\"x\":\(depth)".utf8))
                expected = 1007
            }
            let (frames, code) = try await device.untilClose()
            #expect(frames.map(\.goodbye.reason) == [.protocol])
            #expect(code == expected)
            let other = try await server.device("anna")
            let ping = try await other.ask(.ping(.init()))
            #expect(try await other.answer(ping) != nil)
        }
    }

    @Test("a frame that comes byte by byte, and several in one write, are read as they are")
    func pieces() async throws {
        try await TestServer.run { server in
            let anna = try await server.device("anna")
            var frame = ClientFrame()
            frame.request = 50
            frame.ping.nonce = 77
            for byte in TestDevice.webSocketFrame(opcode: 2, try frame.serializedBytes()) {
                try await anna.write([byte])
            }
            #expect(try await anna.frame().pong.nonce == 77)
            let bytes: [UInt8] = try frame.serializedBytes()
            let half = bytes.count / 2
            try await anna.write(opcode: 2, Array(bytes[..<half]), fin: false)
            try await anna.write(opcode: 9, [5])
            try await anna.write(opcode: 0, Array(bytes[half...]))
            #expect(try await anna.receive() == .pong([5]))
            #expect(try await anna.frame().pong.nonce == 77)
        }
    }

    @Test("what is no WebSocket of ours is refused in HTTP's words")
    func handshakes() async throws {
        try await TestServer.run { server in
            for (text, status) in [
                (TestDevice.handshake("chat"), "400"),
                (TestDevice.handshake("mailbox.v1.json", path: "/other"), "404"),
                ("GET /v1/connect HTTP/1.1\r\nHost: x\r\n\r\n", "426"),
                ("GET /health HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
                ("GET / HTTP/1.1\r\nHost: x\r\n\r\n", "200"),
                ("GET /nothing HTTP/1.1\r\nHost: x\r\n\r\n", "404"),
                ("POST /demo/token HTTP/1.1\r\nHost: localhost\r\n\r\n", "404"),
                ("nonsense\r\n\r\n", "400"),
            ] {
                let device = try await TestDevice.connect(port: server.port)
                let response = try await device.exchange(text)
                #expect(response.hasPrefix("HTTP/1.1 \(status) "), "\(text): \(response)")
            }
        }
    }

    @Test("a demonstration mints tokens for its own pages only")
    func demo() async throws {
        try await TestServer.run(isDemo: true) { server in
            func request(_ host: String, _ header: String, _ name: String) -> String {
                "POST /demo/token HTTP/1.1\r\nHost: \(host)\r\n\(header)"
                    + "Content-Length: \(name.utf8.count)\r\n\r\n\(name)"
            }
            let mark = "X-Mailbox-Demo: 1\r\n"
            for (text, status) in [
                (request("localhost:1", mark, "anna"), "200"),
                (request("evil.example", mark, "anna"), "403"),
                (request("127.0.0.1.evil.example", mark, "anna"), "403"),
                (request("localhost", "", "anna"), "403"),
                (request("localhost", mark, ""), "400"),
            ] {
                let device = try await TestDevice.connect(port: server.port)
                let response = try await device.exchange(text)
                #expect(response.hasPrefix("HTTP/1.1 \(status) "), "\(text): \(response)")
                guard status == "200" else { continue }
                let token = await device.rest()
                let anna = try await TestDevice.open(port: server.port, format: .json)
                #expect(try await anna.hello(token, device: "web").account == "anna")
            }
        }
    }

    @Test("a demonstration is not served to other machines")
    func demoElsewhere() async throws {
        var configuration = ConnectServerConfiguration()
        configuration.endpoint.host = "0.0.0.0"
        let demo = try await DemoTokens()
        let tokens = try await TokenVerifier(keys: [demo.key])
        let services = TestServices()
        #expect(throws: ConnectServerError.self) {
            try ConnectServer(
                configuration: configuration, tokens: tokens, demo: demo, sender: services,
                receiver: StorageReceiver(services.store), pushes: services,
                metrics: NOOPMetricsHandler.instance, logger: CapturedLog().logger)
        }
    }
}
