import Glibc

/// What the shim wrote while a program worked on its files: every call that changed one, in the
/// order in which they took effect, and what the program said in between.
struct Trace {
    /// As in `shim/file-shim.c`.
    enum Kind: UInt32 {
        case open = 1
        case write, truncate, allocate, rename, link, unlink, makeDirectory, removeDirectory
        case syncBegin, syncEnd, writeSynced, mark
    }

    struct Record {
        let kind: Kind
        /// Of an open file, from 1.
        let handle: Int
        /// Of a write; a length; the number of the record that a sync's end belongs to.
        let offset: Int
        /// The flags of an open; the errno of a sync, 0 when it succeeded.
        let result: Int
        /// What belongs to it, in `bytes`.
        let payload: Range<Int>
    }

    let bytes: [UInt8]
    let records: [Record]

    private static let headerByteCount = 32

    /// Reads a trace. What a kill cut off at its end is left out.
    init(path: String) throws(Failure) {
        bytes = try Files.read(path)
        var records: [Record] = []
        var offset = 0
        while offset + Self.headerByteCount <= bytes.count {
            let (kind, payload, handle, place, result) = bytes.withUnsafeBytes { bytes in
                (
                    bytes.loadUnaligned(fromByteOffset: offset, as: UInt32.self),
                    Int(bytes.loadUnaligned(fromByteOffset: offset + 4, as: UInt32.self)),
                    bytes.loadUnaligned(fromByteOffset: offset + 8, as: Int.self),
                    bytes.loadUnaligned(fromByteOffset: offset + 16, as: Int.self),
                    bytes.loadUnaligned(fromByteOffset: offset + 24, as: Int.self)
                )
            }
            guard let kind = Kind(rawValue: kind) else {
                throw Failure("\(path) is no trace at byte \(offset)")
            }
            let start = offset + Self.headerByteCount
            guard start + payload <= bytes.count else { break }
            records.append(
                Record(
                    kind: kind, handle: handle, offset: place, result: result,
                    payload: start..<start + payload))
            offset = start + payload
        }
        self.records = records
    }

    func text(_ record: Record) -> String {
        String(decoding: bytes[record.payload], as: UTF8.self)
    }

    /// The two paths of a renaming or a link.
    func paths(_ record: Record) -> (from: String, to: String) {
        let parts = bytes[record.payload].split(separator: 0)
        return (
            String(decoding: parts[0], as: UTF8.self), String(decoding: parts[1], as: UTF8.self)
        )
    }

    /// What the program said, line by line, with the number of the record that it came in.
    var marks: [(record: Int, line: Substring)] {
        records.enumerated().flatMap { number, record -> [(Int, Substring)] in
            guard record.kind == .mark else { return [] }
            return text(record).split(separator: "\n").map { (number, $0) }
        }
    }
}

/// What went wrong: with the system under test, or around it.
struct Failure: Error, CustomStringConvertible {
    let description: String

    init(_ description: String) { self.description = description }
}
