import Foundation

/// One text file of the repository, as the rules look at it.
struct SourceFile {
    /// The path from the repository's root, with `/`.
    let path: String
    /// The text's lines, without their ends.
    let lines: [String]
    /// The same lines with comments and the contents of string literals blanked: what the compiler
    /// would run. Only for Swift files; elsewhere equal to `lines`.
    let code: [String]

    init(path: String, text: String) {
        self.path = path
        lines = Self.split(text)
        code = path.hasSuffix(".swift") ? Self.split(CodeText.blanked(text)) : lines
    }

    var isSwift: Bool { path.hasSuffix(".swift") }
    var isTest: Bool { path.hasPrefix("Tests/") }

    /// Shown by documentation, and compiled by nobody.
    var isShown: Bool { path.contains(".docc/") }

    /// The target that the file belongs to: `Sources/NAME/…` or `Tests/NAME/…`.
    var target: String? {
        if isShown { return nil }
        let parts = path.split(separator: "/")
        guard parts.count >= 3, parts[0] == "Sources" || parts[0] == "Tests" else { return nil }
        return String(parts[1])
    }

    /// Written by a program, from something that is checked itself.
    var isGenerated: Bool {
        path.hasSuffix(".pb.swift") || path.hasSuffix(".grpc.swift")
    }

    private static func split(_ text: String) -> [String] {
        var lines = text.split(separator: "\n", omittingEmptySubsequences: false).map(String.init)
        if lines.last == "" { lines.removeLast() }
        return lines
    }
}

/// One place where a rule is broken.
struct Violation: CustomStringConvertible, Equatable {
    let path: String
    /// From 1.
    let line: Int
    let message: String

    var description: String { "\(path):\(line): \(message)" }
}

/// The repository that these tests were compiled from.
enum Repository {
    static let root = URL(filePath: #filePath)
        .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent()

    private static let extensions: Set<String> = ["swift", "c", "h", "md", "sh", "py", "proto"]
    private static let folders = [
        "Sources", "Tests", "Benchmarks", "Examples", "Fuzz", "docs", "Package.swift",
        "README.md", "CHANGELOG.md", "Makefile", ".ci",
    ]

    /// Every text file that people write, in order of path. Build folders are left out.
    static func files() throws -> [SourceFile] {
        var files: [SourceFile] = []
        for folder in folders {
            for path in try paths(under: folder) {
                let text = try String(contentsOf: root.appending(path: path), encoding: .utf8)
                let file = SourceFile(path: path, text: text)
                if !file.isGenerated { files.append(file) }
            }
        }
        return files.sorted { $0.path < $1.path }
    }

    /// True when a file or folder is there.
    static func contains(_ path: String) -> Bool {
        FileManager.default.fileExists(
            atPath: root.appending(path: path).path(percentEncoded: false))
    }

    private static func paths(under name: String) throws -> [String] {
        var isFolder: ObjCBool = false
        let location = root.appending(path: name).path(percentEncoded: false)
        guard FileManager.default.fileExists(atPath: location, isDirectory: &isFolder) else {
            return []
        }
        guard isFolder.boolValue else { return [name] }
        var found: [String] = []
        for entry in try FileManager.default.contentsOfDirectory(atPath: location).sorted() {
            let path = "\(name)/\(entry)"
            let item = root.appending(path: path)
            if try item.resourceValues(forKeys: [.isDirectoryKey]).isDirectory == true {
                if !entry.hasPrefix(".build") { found += try paths(under: path) }
            } else if extensions.contains(item.pathExtension) || name == ".ci" {
                found.append(path)
            }
        }
        return found
    }
}
