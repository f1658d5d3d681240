/// What may not be called or claimed, and words that say that something is unfinished.
enum BannedRule {
    /// A piece of code that is refused where `applies` says so.
    struct Ban: Sendable {
        let pattern: String
        let reason: String
        let applies: @Sendable (SourceFile) -> Bool
    }

    // Some patterns are put together from pieces so that this file does not break its own rules.
    static let bans: [Ban] = [
        Ban(pattern: "try" + "!", reason: "throw, or prove it with a precondition") {
            isSource($0)
        },
        Ban(pattern: "as" + "!", reason: "cast with `as?` and say what to do otherwise") {
            isSource($0)
        },
        Ban(pattern: "fatal" + "Error(", reason: "throw a typed error, or use a precondition") {
            isSource($0)
        },
        Ban(pattern: "print(", reason: "only the tool writes to standard output") {
            isSource($0) && $0.target != "mailboxctl"
        },
        Ban(pattern: "sleep" + "(", reason: "tests wait for events, never for time") { $0.isTest },
    ]

    /// Words that say "unfinished", anywhere in a text: code, comments, strings, documents.
    static let words = [
        "TO" + "DO", "FIX" + "ME", "XX" + "X", "not imple" + "mented", "for " + "now",
    ]

    static func violations(in file: SourceFile) -> [Violation] {
        callViolations(in: file) + uncheckedViolations(in: file) + wordViolations(in: file)
    }

    private static func isSource(_ file: SourceFile) -> Bool {
        file.isSwift && file.path.hasPrefix("Sources/") && !file.isShown
    }

    private static func callViolations(in file: SourceFile) -> [Violation] {
        guard file.isSwift else { return [] }
        var found: [Violation] = []
        for ban in bans where ban.applies(file) {
            for (index, line) in file.code.enumerated() where contains(line, ban.pattern) {
                let message = "`\(ban.pattern)` is banned: \(ban.reason)"
                found.append(Violation(path: file.path, line: index + 1, message: message))
            }
        }
        return found
    }

    /// True when the pattern stands in the line and no name runs into its beginning. `sleep(` also
    /// counts at the end of a longer name.
    private static func contains(_ line: String, _ pattern: String) -> Bool {
        for range in line.ranges(of: pattern) {
            guard !pattern.hasPrefix("sleep"), range.lowerBound > line.startIndex else {
                return true
            }
            let before = line[line.index(before: range.lowerBound)]
            if !before.isLetter && !before.isNumber && before != "_" { return true }
        }
        return false
    }

    /// `@unchecked Sendable` needs a comment directly above that says why it is safe: one with the
    /// word "Sendable" or "unchecked" in it.
    private static func uncheckedViolations(in file: SourceFile) -> [Violation] {
        guard file.isSwift else { return [] }
        var found: [Violation] = []
        for (index, line) in file.code.enumerated() where line.contains("@unchecked Sendable") {
            var comment = ""
            var above = index - 1
            while above >= 0 {
                let text = file.lines[above].drop { $0 == " " }
                guard text.hasPrefix("//") || text.hasPrefix("@") else { break }
                comment += text
                above -= 1
            }
            if !comment.contains("Sendable") && !comment.contains("unchecked") {
                let message =
                    "`@unchecked Sendable` without a comment above that says why it is safe"
                found.append(Violation(path: file.path, line: index + 1, message: message))
            }
        }
        return found
    }

    private static func wordViolations(in file: SourceFile) -> [Violation] {
        var found: [Violation] = []
        for (index, line) in file.lines.enumerated() {
            for word in words where hasWord(line, word) {
                let message = "\"\(word)\" says that something is unfinished"
                found.append(Violation(path: file.path, line: index + 1, message: message))
            }
        }
        return found
    }

    /// True when the words stand in the line with no letter or digit running into them.
    private static func hasWord(_ line: String, _ word: String) -> Bool {
        line.ranges(of: word).contains { range in
            let before = line[..<range.lowerBound].last
            let after = line[range.upperBound...].first
            return before?.isLetter != true && after?.isLetter != true
                && before?.isNumber != true && after?.isNumber != true
        }
    }
}
