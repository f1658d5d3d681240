import Foundation

/// A device with nothing of our own in it: a blocking WebSocket that speaks `mailbox.v1.json`.
/// Everything here waits: call it on a thread of its own.
struct TextSocket {
    struct Failed: Error {
        let message: String
    }

    private let descriptor: Int32
    private var buffer: [UInt8] = []

    /// Opens the connection.
    init(port: Int) throws {
        descriptor = try Self.connect(port)
        let request = """
            GET /v1/connect HTTP/1.1\r
            Host: 127.0.0.1:\(port)\r
            Connection: Upgrade\r
            Upgrade: websocket\r
            Sec-WebSocket-Version: 13\r
            Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r
            Sec-WebSocket-Protocol: mailbox.v1.json\r
            \r

            """
        try write(Array(request.utf8))
        var head: [UInt8] = []
        while !head.suffix(4).elementsEqual("\r\n\r\n".utf8) { head.append(try next()) }
        let text = String(decoding: head, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 101") else { throw Failed(message: text) }
    }

    /// Posts a text, and answers the body of the response.
    static func post(_ path: String, _ body: String, port: Int) throws -> String {
        var socket = TextSocket(descriptor: try connect(port))
        defer { socket.close() }
        let request =
            "POST \(path) HTTP/1.1\r\nHost: 127.0.0.1:\(port)\r\nX-Mailbox-Demo: 1\r\n"
            + "Content-Length: \(body.utf8.count)\r\nConnection: close\r\n\r\n\(body)"
        try socket.write(Array(request.utf8))
        var answer: [UInt8] = []
        while let byte = try? socket.next() { answer.append(byte) }
        let text = String(decoding: answer, as: UTF8.self)
        guard text.hasPrefix("HTTP/1.1 200"), let end = text.firstRange(of: "\r\n\r\n") else {
            throw Failed(message: text)
        }
        return String(text[end.upperBound...])
    }

    private init(descriptor: Int32) { self.descriptor = descriptor }

    /// Sends one frame of JSON.
    func send(_ frame: [String: Any]) throws {
        let payload = try JSONSerialization.data(withJSONObject: frame)
        var bytes: [UInt8] = [0x81]
        if payload.count < 126 {
            bytes.append(0x80 | UInt8(payload.count))
        } else {
            bytes += [0x80 | 126, UInt8(payload.count >> 8), UInt8(payload.count & 255)]
        }
        // A mask of zeros leaves the bytes as they are.
        try write(bytes + [0, 0, 0, 0] + payload)
    }

    /// Waits for a frame that has `key`, passing over others.
    mutating func receive(_ key: String) throws -> [String: Any] {
        while true {
            let first = try next()
            var count = Int(try next())
            if count == 126 { count = Int(try next()) << 8 | Int(try next()) }
            if count == 127 {
                count = 0
                for _ in 0..<8 { count = count << 8 | Int(try next()) }
            }
            var payload = Data()
            for _ in 0..<count { payload.append(try next()) }
            guard first & 0x0F == 1 else {
                if first & 0x0F == 8 { throw Failed(message: "closed before \(key)") }
                continue
            }
            let object = try JSONSerialization.jsonObject(with: payload) as? [String: Any]
            if let object, object[key] != nil { return object }
            if let refused = object?["refused"] { throw Failed(message: "\(refused)") }
        }
    }

    func close() { _ = Foundation.close(descriptor) }

    static func connect(_ port: Int) throws -> Int32 {
        let descriptor = socket(AF_INET, Int32(SOCK_STREAM.rawValue), 0)
        var address = sockaddr_in()
        address.sin_family = sa_family_t(AF_INET)
        address.sin_port = in_port_t(UInt16(port).bigEndian)
        address.sin_addr.s_addr = inet_addr("127.0.0.1")
        let status = withUnsafePointer(to: &address) { pointer in
            pointer.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                Foundation.connect(descriptor, $0, socklen_t(MemoryLayout<sockaddr_in>.size))
            }
        }
        guard status == 0 else { throw Failed(message: "cannot connect to port \(port)") }
        return descriptor
    }

    private func write(_ bytes: [UInt8]) throws {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            guard count > 0 else { throw Failed(message: "cannot write") }
            rest = rest.dropFirst(count)
        }
    }

    private mutating func next() throws -> UInt8 {
        if buffer.isEmpty {
            var piece = [UInt8](repeating: 0, count: 65_536)
            let count = recv(descriptor, &piece, piece.count, 0)
            guard count > 0 else { throw Failed(message: "the connection ended") }
            buffer = piece[..<count].reversed()
        }
        return buffer.removeLast()
    }
}
