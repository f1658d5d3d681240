/// Links between the project's own pages lead somewhere.
enum LinkRule {
    /// - Parameter exists: whether a path from the repository's root is there.
    static func violations(in file: SourceFile, exists: (String) -> Bool) -> [Violation] {
        guard file.path.hasSuffix(".md") else { return [] }
        let folder = file.path.split(separator: "/").dropLast()
        var found: [Violation] = []
        for (index, line) in file.lines.enumerated() {
            for match in line.matches(of: /\]\(([^)#\s]+)[^)]*\)/) {
                let link = match.output.1
                guard !link.contains("://"), !link.hasPrefix("mailto:") else { continue }
                let target = resolve(link, from: folder)
                if !exists(target) {
                    let message = "the link to \(link) leads nowhere"
                    found.append(Violation(path: file.path, line: index + 1, message: message))
                }
            }
        }
        return found
    }

    private static func resolve(_ link: Substring, from folder: ArraySlice<Substring>) -> String {
        var parts = Array(folder)
        for part in link.split(separator: "/") {
            switch part {
            case ".": continue
            case "..": _ = parts.popLast()
            default: parts.append(part)
            }
        }
        return parts.joined(separator: "/")
    }
}
