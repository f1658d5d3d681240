/// Swift source with everything blanked that is no code: comments, and what stands in literals.
///
/// Lines and columns stay where they are. An interpolation counts as part of its literal.
enum CodeText {
    private enum State: Equatable {
        case code
        case lineComment
        case blockComment(depth: Int)
        /// A literal that ends at a quote, or at three, followed by as many `#` as it began with.
        case literal(isMultiline: Bool, pounds: Int)
    }

    static func blanked(_ text: String) -> String {
        let characters = Array(text.utf8)
        var output = characters
        var state = State.code
        var index = 0
        func starts(with token: String, at index: Int) -> Bool {
            characters[index...].starts(with: token.utf8)
        }
        func blank(_ count: Int) {
            for _ in 0..<count where index < characters.count {
                if characters[index] != UInt8(ascii: "\n") { output[index] = UInt8(ascii: " ") }
                index += 1
            }
        }
        while index < characters.count {
            switch state {
            case .code:
                if starts(with: "//", at: index) {
                    state = .lineComment
                } else if starts(with: "/*", at: index) {
                    state = .blockComment(depth: 1)
                    blank(2)
                } else if let (literal, length) = literalStart(characters, index) {
                    state = literal
                    index += length
                } else {
                    index += 1
                }
            case .lineComment:
                if characters[index] == UInt8(ascii: "\n") { state = .code }
                blank(1)
            case .blockComment(let depth):
                if starts(with: "/*", at: index) {
                    state = .blockComment(depth: depth + 1)
                    blank(2)
                } else if starts(with: "*/", at: index) {
                    state = depth == 1 ? .code : .blockComment(depth: depth - 1)
                    blank(2)
                } else {
                    blank(1)
                }
            case .literal(let isMultiline, let pounds):
                let fence = String(repeating: "#", count: pounds)
                let end = (isMultiline ? "\"\"\"" : "\"") + fence
                if starts(with: end, at: index) {
                    state = .code
                    index += end.utf8.count
                } else if starts(with: "\\" + fence + "(", at: index) {
                    blank(interpolationLength(characters, index + pounds + 1) + pounds + 1)
                } else if starts(with: "\\" + fence, at: index) {
                    blank(pounds + 2)
                } else {
                    blank(1)
                }
            }
        }
        return String(decoding: output, as: UTF8.self)
    }

    private static func literalStart(_ text: [UInt8], _ start: Int) -> (State, length: Int)? {
        var index = start
        while index < text.count, text[index] == UInt8(ascii: "#") { index += 1 }
        let pounds = index - start
        guard text[index...].starts(with: "\"".utf8) else { return nil }
        let isMultiline = text[index...].starts(with: "\"\"\"".utf8)
        return (.literal(isMultiline: isMultiline, pounds: pounds), pounds + (isMultiline ? 3 : 1))
    }

    /// The length of `(…)` from its opening parenthesis on, skipping literals inside.
    private static func interpolationLength(_ text: [UInt8], _ start: Int) -> Int {
        var depth = 0
        var isInLiteral = false
        for index in start..<text.count {
            switch text[index] {
            case UInt8(ascii: "\""): isInLiteral.toggle()
            case UInt8(ascii: "(") where !isInLiteral: depth += 1
            case UInt8(ascii: ")") where !isInLiteral:
                depth -= 1
                if depth == 0 { return index - start + 1 }
            default: break
            }
        }
        return text.count - start
    }
}
