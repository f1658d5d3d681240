import Mailbox

/// Where the messages of a replay come from.
protocol TraceSource {
    /// The next message; nil behind the last.
    mutating func next() throws(Failure) -> TraceRecord?
    /// How much of everything was read, 0 … 1; nil when nobody can know.
    var fraction: Double? { get }
    /// Lines that were passed over because they are no messages.
    var skippedLines: Int { get }
}

/// A trace in tab-separated lines, packed with gzip or not.
struct TraceReader: TraceSource {
    /// What a line needs beside its body: two addresses, a time, three tabs.
    private static let lineOverheadBytes = 2 * 64 + 20 + 3

    private let name: String
    private let bodyBytesMaximum: Int
    private let skipsBadLines: Bool
    private var lines: LineReader
    private var lineNumber = 0
    private(set) var skippedLines = 0

    /// - Parameters:
    ///   - path: the trace's file, `-` for standard input.
    ///   - bodyBytesMaximum: the largest body that the store takes.
    ///   - skipsBadLines: pass over lines that are no messages, instead of stopping there.
    init(path: String, bodyBytesMaximum: Int, skipsBadLines: Bool) throws(Failure) {
        let file = path == "-" ? FileSource(standardInput: ()) : try FileSource(path: path)
        try self.init(
            file, name: path == "-" ? "standard input" : path, bodyBytesMaximum: bodyBytesMaximum,
            skipsBadLines: skipsBadLines)
    }

    /// A trace from any bytes; gzip is recognised by its first two.
    init(
        _ source: any ByteSource, name: String, bodyBytesMaximum: Int, skipsBadLines: Bool
    ) throws(Failure) {
        self.name = name
        self.bodyBytesMaximum = bodyBytesMaximum
        self.skipsBadLines = skipsBadLines
        let start = try PeekedSource(source, peeking: GzipSource.magic.count)
        let plain: any ByteSource =
            start.peeked == GzipSource.magic ? try GzipSource(start) : start
        lines = LineReader(
            plain, lineBytesMaximum: bodyBytesMaximum + Self.lineOverheadBytes)
    }

    var fraction: Double? { lines.fraction }

    mutating func next() throws(Failure) -> TraceRecord? {
        while let line = try lines.next() {
            lineNumber += 1
            do throws(TraceLineError) {
                guard case .text(let text) = line else {
                    throw TraceLineError(reason: "longer than any message that this store takes")
                }
                return try TraceRecord(line: text, bodyBytesMaximum: bodyBytesMaximum)
            } catch {
                guard skipsBadLines else { throw badLine(error) }
                skippedLines += 1
            }
        }
        return nil
    }

    private func badLine(_ error: TraceLineError) -> Failure {
        Failure(
            code: "badTraceLine",
            message: "\(name), line \(lineNumber): \(error.reason). The lines before it are "
                + "stored; correct it and replay again (nothing is stored twice), "
                + "or pass over such lines with --skip-bad-lines",
            status: .data)
    }
}
