import Foundation

/// A client that speaks HTTP/2 byte by byte, and can misbehave. Everything here waits: call it on a
/// thread of its own.
final class RawConnection {
    struct Failed: Error {
        let message: String
    }

    struct Frame {
        var kind: UInt8
        var flags: UInt8
        var stream: UInt32
        var payload: [UInt8]

        var isAcknowledgement: Bool { flags & 1 != 0 }
    }

    /// Kinds of frames (RFC 9113, section 6).
    enum Kind {
        static let data: UInt8 = 0
        static let headers: UInt8 = 1
        static let reset: UInt8 = 3
        static let settings: UInt8 = 4
        static let ping: UInt8 = 6
        static let goAway: UInt8 = 7
        static let continuation: UInt8 = 9
    }

    /// What a client says first: the preface, and settings without any.
    static let greeting = Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(Kind.settings)

    private let descriptor: Int32
    private var buffer: [UInt8] = []
    private var position = 0

    /// Opens the connection, and says nothing yet. Whatever takes longer than a minute fails.
    init(port: Int) throws {
        descriptor = try TextSocket.connect(port)
        var limit = timeval(tv_sec: 60, tv_usec: 0)
        for option in [SO_RCVTIMEO, SO_SNDTIMEO] {
            setsockopt(
                descriptor, SOL_SOCKET, option, &limit, socklen_t(MemoryLayout<timeval>.size))
        }
    }

    deinit { close(descriptor) }

    /// Ends the connection. Nothing more can be sent or read.
    func end() { shutdown(descriptor, Int32(SHUT_RDWR)) }

    /// Sends bytes.
    ///
    /// - Returns: false when the server ended the connection.
    @discardableResult
    func send(_ bytes: [UInt8]) throws -> Bool {
        var rest = bytes[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes {
                Foundation.send(descriptor, $0.baseAddress, $0.count, Int32(MSG_NOSIGNAL))
            }
            if count < 0 {
                if errno == EPIPE || errno == ECONNRESET { return false }
                throw Failed(message: "cannot send: \(String(cString: strerror(errno)))")
            }
            rest = rest.dropFirst(count)
        }
        return true
    }

    /// The next frame; nil when the server ended the connection.
    func next() throws -> Frame? {
        guard let head = try take(9) else { return nil }
        let count = Int(head[0]) << 16 | Int(head[1]) << 8 | Int(head[2])
        guard let payload = try take(count) else { return nil }
        let stream = head[5..<9].reduce(UInt32(0)) { $0 << 8 | UInt32($1) } & 0x7FFF_FFFF
        return Frame(kind: head[3], flags: head[4], stream: stream, payload: payload)
    }

    /// Passes over all that comes, until the server ends the connection.
    ///
    /// - Returns: what came.
    func untilEnd() throws -> [Frame] {
        var frames: [Frame] = []
        while let frame = try next() { frames.append(frame) }
        return frames
    }

    private func take(_ count: Int) throws -> [UInt8]? {
        while buffer.count - position < count {
            var piece = [UInt8](repeating: 0, count: 65_536)
            let received = recv(descriptor, &piece, piece.count, 0)
            if received == 0 || (received < 0 && errno == ECONNRESET) { return nil }
            guard received > 0 else {
                throw Failed(message: "nothing came: \(String(cString: strerror(errno)))")
            }
            buffer = Array(buffer[position...]) + piece[..<received]
            position = 0
        }
        defer { position += count }
        return Array(buffer[position..<position + count])
    }
}

extension RawConnection {
    static func frame(
        _ kind: UInt8, flags: UInt8 = 0, stream: UInt32 = 0, _ payload: [UInt8] = []
    ) -> [UInt8] {
        let count = payload.count
        return [UInt8(count >> 16 & 255), UInt8(count >> 8 & 255), UInt8(count & 255), kind, flags]
            + bigEndian(stream) + payload
    }

    /// The beginning of a call.
    static func call(
        _ method: String, of service: String = "StoreService", stream: UInt32,
        isWhole: Bool = true, more: [UInt8] = []
    ) -> [UInt8] {
        let fields = [
            (":method", "POST"), (":scheme", "http"),
            (":path", "/mailbox.store.v1.\(service)/\(method)"), (":authority", "localhost"),
            ("te", "trailers"), ("content-type", "application/grpc"),
        ]
        let block = fields.flatMap { name, value in field(name, value) } + more
        return frame(Kind.headers, flags: isWhole ? 4 : 0, stream: stream, block)
    }

    /// A header that no table has (RFC 7541, section 6.2.2); both texts are short.
    static func field(_ name: String, _ value: String) -> [UInt8] {
        [0, UInt8(name.utf8.count)] + name.utf8 + [UInt8(value.utf8.count)] + value.utf8
    }

    /// One gRPC message in a frame of its own.
    static func message(_ bytes: [UInt8], stream: UInt32, isLast: Bool = false) -> [UInt8] {
        frame(
            Kind.data, flags: isLast ? 1 : 0, stream: stream,
            [0] + bigEndian(UInt32(bytes.count)) + bytes)
    }

    static func bigEndian(_ value: UInt32) -> [UInt8] {
        withUnsafeBytes(of: value.bigEndian) { Array($0) }
    }
}
