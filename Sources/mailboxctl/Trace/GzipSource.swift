import CZlib

/// What a gzip source holds once unpacked; several members behind one another count as one.
///
/// Memory stays the same whatever the size: one piece of input, one of output.
final class GzipSource: ByteSource {
    /// The first bytes of every gzip member.
    static let magic: [UInt8] = [0x1F, 0x8B]
    private static let inputBytes = 64 << 10
    /// `inflateInit2`: the largest window, and a gzip header and trailer around the data.
    private static let windowBits: Int32 = 15 + 16

    private let source: any ByteSource
    // On the heap, because zlib keeps the address of the structure that it was first given.
    private let stream: UnsafeMutablePointer<z_stream>
    private var input: [UInt8] = []
    private var position = 0
    private var isInMember = true

    /// - Parameter source: the packed bytes from their beginning.
    init(_ source: any ByteSource) throws(Failure) {
        self.source = source
        stream = .allocate(capacity: 1)
        stream.initialize(to: z_stream())
        let code = inflateInit2_(
            stream, Self.windowBits, ZLIB_VERSION, Int32(MemoryLayout<z_stream>.size))
        guard code == Z_OK else {
            throw Failure(
                code: "internal", message: "zlib answers \(code) at its start", status: .software)
        }
    }

    deinit {
        inflateEnd(stream)
        stream.deallocate()
    }

    var fraction: Double? { source.fraction }

    func read(atMost count: Int) throws(Failure) -> [UInt8] {
        while true {
            if position == input.count {
                input = try source.read(atMost: Self.inputBytes)
                position = 0
            }
            if input.isEmpty {
                guard !isInMember else { throw Self.damaged("the gzip file ends early") }
                return []
            }
            if !isInMember {
                // Behind a member: the next one begins, or the file is none of ours.
                guard input[position] == Self.magic[0] else {
                    throw Self.damaged("the gzip file has something else behind its end")
                }
                inflateReset(stream)
                isInMember = true
            }
            let bytes = try inflatePiece(atMost: count)
            if !bytes.isEmpty { return bytes }
        }
    }

    private func inflatePiece(atMost count: Int) throws(Failure) -> [UInt8] {
        var code: Int32 = Z_OK
        let output = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
            input.withUnsafeMutableBufferPointer { input in
                stream.pointee.next_in = input.baseAddress! + position
                stream.pointee.avail_in = UInt32(input.count - position)
                stream.pointee.next_out = buffer.baseAddress
                stream.pointee.avail_out = UInt32(count)
                code = inflate(stream, Z_NO_FLUSH)
                position = input.count - Int(stream.pointee.avail_in)
                used = count - Int(stream.pointee.avail_out)
            }
        }
        switch code {
        case Z_OK, Z_BUF_ERROR: break
        case Z_STREAM_END: isInMember = false
        default: throw Self.damaged("the gzip file is damaged")
        }
        return output
    }

    private static func damaged(_ message: String) -> Failure {
        Failure(code: "badTrace", message: message, status: .data)
    }
}

/// A source whose first bytes were looked at and put back.
final class PeekedSource: ByteSource {
    private let source: any ByteSource
    private var head: [UInt8]

    init(_ source: any ByteSource, peeking count: Int) throws(Failure) {
        self.source = source
        head = []
        while head.count < count {
            let piece = try source.read(atMost: count - head.count)
            if piece.isEmpty { break }
            head += piece
        }
    }

    /// What was looked at; fewer bytes than asked for when the source is shorter.
    var peeked: [UInt8] { head }
    var fraction: Double? { source.fraction }

    func read(atMost count: Int) throws(Failure) -> [UInt8] {
        guard !head.isEmpty else { return try source.read(atMost: count) }
        let piece = Array(head.prefix(count))
        head.removeFirst(piece.count)
        return piece
    }
}
