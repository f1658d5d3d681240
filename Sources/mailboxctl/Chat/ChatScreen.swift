/// A chat as a full screen of text: title, what was said, and the line that is being typed.
///
/// Every character counts as one column; a line with wide ones may be cut off by the terminal.
enum ChatScreen {
    /// The lines of the screen, `rows` of them.
    static func lines(
        _ transcript: ChatTranscript, status: String, input: String, columns: Int, rows: Int
    ) -> [String] {
        let columns = max(8, columns)
        let height = max(1, rows - 2)
        var shown: [String] = []
        // From the newest up, no further than the screen reaches.
        for entry in transcript.entries.reversed() {
            guard shown.count < height else { break }
            shown.insert(contentsOf: wrapped(text(entry, transcript.peer), columns), at: 0)
        }
        shown = Array(shown.suffix(height))
        let empty = [String](repeating: "", count: height - shown.count)
        let title = String("chat with \(transcript.peer): \(status)".prefix(columns))
        let typed = "> " + String(input.suffix(columns - 3))
        return [title] + empty + shown + [typed]
    }

    private static func text(_ entry: ChatTranscript.Entry, _ peer: String) -> String {
        switch entry {
        case .incoming(_, let text): "\(peer): \(text)"
        case .note(let text): "* \(text)"
        case .outgoing(_, let text, let mark): "  \(sign(mark)) \(text)"
        }
    }

    /// A clock until the server has it, one check mark then, two when it was shown there.
    private static func sign(_ mark: ChatTranscript.Mark) -> String {
        switch mark {
        case .saved: "… "
        case .accepted: "✓ "
        case .delivered: "✓✓"
        case .refused(let reason): "✗ (\(reason))"
        }
    }

    private static func wrapped(_ text: String, _ columns: Int) -> [String] {
        var rest = Array(text)[...]
        var lines: [String] = []
        repeat {
            let indent = lines.isEmpty ? "" : "     "
            let piece = rest.prefix(columns - indent.count)
            lines.append(indent + String(piece))
            rest = rest.dropFirst(piece.count)
        } while !rest.isEmpty
        return lines
    }
}

/// The line that is being typed on a terminal without a line discipline.
struct ChatLine {
    /// What bytes from the keyboard lead to.
    enum Key: Equatable {
        /// The line is to be shown anew.
        case changed
        case entered(String)
        case end
    }

    /// The most bytes of a line; more are not taken.
    private static let bytesMaximum = 16 << 10

    private var bytes: [UInt8] = []
    private var isEscape = false

    /// What was typed so far, as far as it is whole characters, safe to be shown.
    var text: String {
        var whole = bytes[...]
        while !whole.isEmpty, String(validating: whole, as: UTF8.self) == nil { whole.removeLast() }
        return Text.body(whole)
    }

    mutating func take(_ byte: UInt8) -> Key? {
        if isEscape {
            // A cursor key or the like: it ends with a letter or a tilde.
            let isEnd = byte >= 0x40 && byte != UInt8(ascii: "[") && byte != UInt8(ascii: "O")
            isEscape = !isEnd
            return nil
        }
        switch byte {
        case 3: return .end
        case 4: return bytes.isEmpty ? .end : nil
        case 0x0A, 0x0D:
            defer { bytes = [] }
            return bytes.isEmpty ? nil : .entered(String(decoding: bytes, as: UTF8.self))
        case 0x08, 0x7F:
            // A whole character: its continuation bytes, too.
            while let last = bytes.popLast(), last & 0xC0 == 0x80 {}
            return .changed
        case 0x15:
            bytes = []
            return .changed
        case 0x1B:
            isEscape = true
            return nil
        case 0..<0x20: return nil
        default:
            guard bytes.count < Self.bytesMaximum else { return nil }
            bytes.append(byte)
            return .changed
        }
    }
}
