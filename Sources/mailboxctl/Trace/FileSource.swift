import Glibc

/// Bytes in pieces, from their beginning to their end.
protocol ByteSource: AnyObject {
    /// The next bytes, at least one and at most `count`; none at the end.
    func read(atMost count: Int) throws(Failure) -> [UInt8]
    /// How much of everything was read, 0 … 1; nil when nobody can know.
    var fraction: Double? { get }
}

/// A file, or standard input.
final class FileSource: ByteSource {
    private let path: String
    private let descriptor: Int32
    private let closesDescriptor: Bool
    /// The file's size; nil for what has none (standard input, a pipe).
    private let size: Int64?
    private var consumed: Int64 = 0

    /// - Throws: `noSuchFile`, `wrongKindOfFile`, `noPermission`.
    init(path: String) throws(Failure) {
        self.path = path
        descriptor = open(path, O_RDONLY | O_CLOEXEC)
        closesDescriptor = true
        guard descriptor >= 0 else { throw .file(path, doing: "read", errno: errno) }
        var status = stat()
        fstat(descriptor, &status)
        let kind = status.st_mode & S_IFMT
        size = kind == S_IFREG ? Int64(status.st_size) : nil
        if kind == S_IFDIR { throw .file(path, doing: "read", errno: EISDIR) }
    }

    /// Standard input, which stays open.
    init(standardInput: Void) {
        path = "standard input"
        descriptor = STDIN_FILENO
        closesDescriptor = false
        size = nil
    }

    deinit {
        if closesDescriptor, descriptor >= 0 { close(descriptor) }
    }

    var fraction: Double? {
        guard let size, size > 0 else { return nil }
        return min(1, Double(consumed) / Double(size))
    }

    func read(atMost count: Int) throws(Failure) -> [UInt8] {
        while true {
            var code: Int32 = 0
            let bytes = [UInt8](unsafeUninitializedCapacity: count) { buffer, used in
                let result = Glibc.read(descriptor, buffer.baseAddress, count)
                if result < 0 { code = errno }
                used = max(0, result)
            }
            if code == EINTR { continue }
            guard code == 0 else { throw .file(path, doing: "read", errno: code) }
            consumed += Int64(bytes.count)
            return bytes
        }
    }
}
