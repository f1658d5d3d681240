import Foundation

/// Looks at a store again and again, each time with one bit of one file changed, and says what
/// became of it: thousands of flips for the price of one process, until LMDB ends it.
///
/// Standard input has a line for each flip: file, byte, bit. Standard output gets a line for each:
/// `intact`, `other`, `refused`, `reported`, or `wrong` and why.
enum FlipMode {
    static func run(_ path: String, copy: String) throws {
        let folder = URL(fileURLWithPath: path).resolvingSymlinksInPath().path
        var files: [(name: String, bytes: Data)] = []
        for name in try FileManager.default.subpathsOfDirectory(atPath: folder).sorted() {
            let file = "\(folder)/\(name)"
            var isDirectory: ObjCBool = false
            // Asked for the contents of a directory, Foundation loses a buffer.
            guard FileManager.default.fileExists(atPath: file, isDirectory: &isDirectory),
                !isDirectory.boolValue, let bytes = FileManager.default.contents(atPath: file)
            else { continue }
            files.append((name, bytes))
        }
        try write(files, to: copy, isFirst: true)
        let expected = CheckMode.lines(copy)
        while let line = readLine() {
            let words = line.split(separator: " ")
            guard words.count == 3, let place = Int(words[1]), let bit = UInt8(words[2]),
                let index = files.firstIndex(where: { $0.name == words[0] })
            else { return CrashWorker.say("wrong order: \(line)") }
            alarm(60)
            files[index].bytes[place] ^= 1 << bit
            try write(files, to: copy, isFirst: false)
            files[index].bytes[place] ^= 1 << bit
            CrashWorker.say(outcome(CheckMode.lines(copy), expected))
        }
    }

    private static func outcome(_ lines: [String], _ expected: [String]) -> String {
        if let wrong = lines.first(where: { $0.hasPrefix("WRONG") }) { return "wrong \(wrong)" }
        if lines.last?.hasPrefix("refused") == true { return "refused" }
        if lines.last?.hasPrefix("problems") == true { return "reported" }
        return lines == expected ? "intact" : "other"
    }

    /// Makes `copy` hold these files and no others.
    private static func write(
        _ files: [(name: String, bytes: Data)], to copy: String, isFirst: Bool
    ) throws {
        let manager = FileManager.default
        if isFirst {
            for (name, _) in files {
                let folder = URL(fileURLWithPath: "\(copy)/\(name)").deletingLastPathComponent()
                try manager.createDirectory(at: folder, withIntermediateDirectories: true)
            }
        }
        let names = Set(files.map(\.name))
        for name in try manager.subpathsOfDirectory(atPath: copy) where !names.contains(name) {
            var isFolder: ObjCBool = false
            let there = manager.fileExists(atPath: "\(copy)/\(name)", isDirectory: &isFolder)
            if there, !isFolder.boolValue { try manager.removeItem(atPath: "\(copy)/\(name)") }
        }
        for (name, bytes) in files {
            try bytes.write(to: URL(fileURLWithPath: "\(copy)/\(name)"))
        }
    }
}
