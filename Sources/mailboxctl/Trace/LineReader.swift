import Glibc

/// A source cut into lines. Lines share the pieces that were read: none is copied.
struct LineReader {
    enum Line: Equatable {
        case text(ArraySlice<UInt8>)
        /// A line above the limit; its bytes were passed over.
        case tooLong
    }

    private static let pieceBytes = 256 << 10

    private let source: any ByteSource
    private let lineBytesMaximum: Int
    private var piece: ArraySlice<UInt8> = []
    private var isAtEnd = false

    init(_ source: any ByteSource, lineBytesMaximum: Int) {
        self.source = source
        self.lineBytesMaximum = lineBytesMaximum
    }

    /// How much of everything was read, 0 … 1; nil when nobody can know.
    var fraction: Double? { source.fraction }

    /// The next line without its end; nil behind the last. A last line needs no end.
    mutating func next() throws(Failure) -> Line? {
        var isTooLong = false
        var searched = 0
        while true {
            if let end = Self.newline(in: piece, from: piece.startIndex + searched) {
                let line = piece[piece.startIndex..<end]
                piece = piece[(end + 1)...]
                return isTooLong || line.count > lineBytesMaximum ? .tooLong : .text(line)
            }
            if isAtEnd {
                guard isTooLong || !piece.isEmpty else { return nil }
                let line = piece
                piece = []
                return isTooLong || line.count > lineBytesMaximum ? .tooLong : .text(line)
            }
            if piece.count > lineBytesMaximum {
                isTooLong = true
                piece = []
            }
            searched = piece.count
            let more = try source.read(atMost: Self.pieceBytes)
            if more.isEmpty { isAtEnd = true }
            piece = piece.isEmpty ? more[...] : (Array(piece) + more)[...]
        }
    }

    private static func newline(in bytes: ArraySlice<UInt8>, from start: Int) -> Int? {
        bytes.withUnsafeBufferPointer { buffer in
            let offset = start - bytes.startIndex
            guard offset < buffer.count, let base = buffer.baseAddress else { return nil }
            guard
                let found = memchr(
                    base + offset, Int32(UInt8(ascii: "\n")), buffer.count - offset)
            else { return nil }
            return bytes.startIndex + (UnsafeRawPointer(found) - UnsafeRawPointer(base))
        }
    }
}
