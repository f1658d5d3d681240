/// How long files, lines and functions may be.
enum LengthRule {
    static let fileLines = 600
    /// Above this, a file is listed, not refused.
    static let fileLinesToQuestion = 400
    static let lineColumns = 100
    static let functionLines = 70

    static func violations(in file: SourceFile) -> [Violation] {
        var found: [Violation] = []
        let isSource = file.isSwift || file.path.hasSuffix(".c") || file.path.hasSuffix(".h")
        guard isSource else { return [] }
        if file.lines.count > fileLines {
            let message = "\(file.lines.count) lines; a file has at most \(fileLines)"
            found.append(Violation(path: file.path, line: 1, message: message))
        }
        for (index, line) in file.lines.enumerated() where line.count > lineColumns {
            let message = "\(line.count) columns; a line has at most \(lineColumns)"
            found.append(Violation(path: file.path, line: index + 1, message: message))
        }
        guard file.isSwift else { return found }
        for function in functions(in: file) where function.lineCount > functionLines {
            let message = "a function of \(function.lineCount) lines; at most \(functionLines)"
            found.append(Violation(path: file.path, line: function.line, message: message))
        }
        return found
    }

    struct Function: Equatable {
        /// Where its declaration begins, from 1.
        let line: Int
        let lineCount: Int
    }

    /// Every function, initialiser and deinitialiser with a body, nested ones too.
    static func functions(in file: SourceFile) -> [Function] {
        var found: [Function] = []
        for index in file.code.indices where declares(file.code[index]) {
            if let end = lastLine(of: file.code, from: index) {
                found.append(Function(line: index + 1, lineCount: end - index + 1))
            }
        }
        return found
    }

    private static let modifiers: Set<Substring> = [
        "public", "package", "internal", "fileprivate", "private", "open", "static", "class",
        "final", "override", "mutating", "nonmutating", "consuming", "borrowing", "nonisolated",
        "isolated", "convenience", "required", "prefix", "postfix", "infix", "indirect", "async",
        "unsafe",
    ]

    private static func declares(_ line: String) -> Bool {
        let bare = line.replacing(/@\w+\([^)]*\)/, with: "")
        for word in bare.split(whereSeparator: { " (<{?".contains($0) }) {
            switch word {
            case "func", "init", "deinit", "subscript": return true
            case _ where word.first == "@" || modifiers.contains(word): continue
            default: return false
            }
        }
        return false
    }

    /// The line of the brace that closes the declaration's body, nil when it has none.
    private static func lastLine(of code: [String], from start: Int) -> Int? {
        var parentheses = 0
        var braces = 0
        for index in start..<code.count {
            if index > start, braces == 0, parentheses == 0, begins(code[index]) { return nil }
            for character in code[index] {
                switch character {
                case "(", "[": parentheses += 1
                case ")", "]": parentheses -= 1
                case "{" where parentheses == 0 || braces > 0: braces += 1
                case "}" where braces == 0 && parentheses == 0: return nil
                case "}" where braces > 0:
                    braces -= 1
                    if braces == 0 { return index }
                default: break
                }
            }
        }
        return nil
    }

    /// True when the line begins another declaration: what came before was a requirement.
    private static func begins(_ line: String) -> Bool {
        let words = line.split { " (<".contains($0) }
        guard let first = words.first else { return false }
        return declares(line) || first.first == "@"
            || ["var", "let", "associatedtype", "typealias", "case", "struct", "enum"].contains(
                first)
            || modifiers.contains(first)
    }
}
