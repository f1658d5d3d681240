import Glibc
import Synchronization

/// Where a command writes: answers to standard output, everything else to standard error.
final class Console: Sendable {
    private struct State {
        var output: [UInt8] = []
        var notes: [String] = []
    }

    /// Answers are handed to the system in pieces of this size.
    private static let bufferBytes = 64 << 10

    /// True when answers and notes are kept for a test instead of written.
    private let isRecording: Bool
    /// True when a person watches standard error.
    let showsProgress: Bool
    private let state = Mutex(State())

    private init(isRecording: Bool, showsProgress: Bool) {
        self.isRecording = isRecording
        self.showsProgress = showsProgress
    }

    /// The process's standard output and error.
    static let standard = Console(
        isRecording: false, showsProgress: isatty(STDERR_FILENO) == 1)

    /// The size of the terminal that answers go to; nil when they go elsewhere.
    var screen: (columns: Int, rows: Int)? {
        var size = winsize()
        guard !isRecording, isatty(STDOUT_FILENO) == 1,
            ioctl(STDOUT_FILENO, UInt(TIOCGWINSZ), &size) == 0, size.ws_col > 0, size.ws_row > 1
        else { return nil }
        return (Int(size.ws_col), Int(size.ws_row))
    }

    /// A console that keeps everything, for tests.
    static func recording() -> Console {
        Console(isRecording: true, showsProgress: false)
    }

    /// What was written to standard output. Only of a recording console.
    var recordedOutput: String { state.withLock { String(decoding: $0.output, as: UTF8.self) } }
    /// What was written to standard error. Only of a recording console.
    var recordedNotes: [String] { state.withLock { $0.notes } }

    /// Writes a line of the answer.
    func write(_ line: String) throws(Failure) {
        try write(Array((line + "\n").utf8))
    }

    /// Writes a value as one line of JSON.
    func write(_ json: JSON) throws(Failure) {
        var line: [UInt8] = []
        json.append(to: &line)
        line.append(UInt8(ascii: "\n"))
        try write(line)
    }

    /// Writes text of the answer as it stands.
    func write(text: String) throws(Failure) { try write(Array(text.utf8)) }

    private func write(_ bytes: [UInt8]) throws(Failure) {
        let full = state.withLock { state -> [UInt8]? in
            state.output.append(contentsOf: bytes)
            guard !isRecording, state.output.count >= Self.bufferBytes else { return nil }
            defer { state.output.removeAll(keepingCapacity: true) }
            return state.output
        }
        if let full { try writeFully(full) }
    }

    /// Hands everything to the system.
    func flush() throws(Failure) {
        guard !isRecording else { return }
        let rest = state.withLock { state -> [UInt8] in
            defer { state.output = [] }
            return state.output
        }
        try writeFully(rest)
    }

    /// Writes a line to standard error.
    func note(_ line: String) {
        if isRecording {
            state.withLock { $0.notes.append(line) }
        } else {
            writeError(line + "\n")
        }
    }

    /// Writes text to standard error as it stands: a progress line that is overwritten later.
    func writeError(_ text: String) {
        guard !isRecording else { return }
        let bytes = Array(text.utf8)
        // Nobody can be told when standard error itself fails.
        _ = bytes.withUnsafeBytes { Glibc.write(STDERR_FILENO, $0.baseAddress, $0.count) }
    }

    private func writeFully(_ bytes: [UInt8]) throws(Failure) {
        var written = 0
        while written < bytes.count {
            let count = bytes.withUnsafeBytes {
                Glibc.write(STDOUT_FILENO, $0.baseAddress! + written, bytes.count - written)
            }
            if count >= 0 {
                written += count
            } else if errno != EINTR {
                throw .file("standard output", doing: "write", errno: errno)
            }
        }
    }
}
